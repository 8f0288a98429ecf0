"""The scripted consumer behaves as the protocol says, so that tests of the pipeline may rely on it."""

from __future__ import annotations

import pytest

from txmon.errors import SourceError
from txmon.streams.consumer import Consumer, Message
from txmon.streams.scripted import ABORT, EOF, GAP, ScriptedConsumer


def test_plays_aborts_once_and_goes_on_behind_what_is_stored() -> None:
    stored: dict[str, int] = {}
    script = [b"a", b"b", ABORT, b"c", GAP, Message(b"d", "1", 5), EOF, b"never"]
    scripted = ScriptedConsumer(script, stored=lambda: stored)
    c: Consumer = scripted
    assert c.lag() == {"0": 4, "1": 1}
    assert [m.payload for m in c.poll(1, 0)] == [b"a"]
    stored["0"] = 0
    assert [m.payload for m in c.poll(9, 0)] == [b"b"]
    with pytest.raises(SourceError, match="aborts"):
        c.poll(9, 0)
    scripted.start()
    assert [m.payload for m in c.poll(9, 0)] == [b"b"]
    assert [m.position for m in c.poll(9, 0)] == [2]
    assert c.poll(9, 0) == []
    assert c.poll(9, 0) == [Message(b"d", "1", 5)]
    assert c.ended
    assert c.poll(9, 0) == []


def test_pause_seek_and_dead_letters() -> None:
    c = ScriptedConsumer([b"a", b"b"])
    c.pause()
    assert c.poll(9, 0) == []
    c.resume()
    found = c.poll(9, 0)
    c.seek({"0": 0})
    assert c.poll(9, 0) == found[1:]
    c.dead_letter(found[0], "bad_json", b"a")
    c.flush(0)
    assert c.dead == [(found[0], "bad_json", b"a")]
    c.close()
    assert c.closed
