"""Bytes of pictures and film come in nowhere: bodies, events, quarantine; the answer says whom to tell."""

from __future__ import annotations

import base64
import json
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest
import sqlalchemy as sa
from apikit import pay, problem
from caseskit import WHY, Desk, ok
from hideouts import PICTURES, encodings
from hypothesis import given, settings
from hypothesis import strategies as st

from txmon.model.pictures import DUTY, SHORTEST, SUSPECT, found_in
from txmon.store.schema import quarantine

LETTERS = {name: base64.b64encode(content + bytes(90)).decode() for name, content in PICTURES.items()}
WAYS = (
    "base64", "base64, short lines", "base64 url", "base64, quoted", "base64 parted by spaces", "hex", "hex with commas",
    "numbers", "octal", "escapes", "percent", "quoted-printable", "data uri", "json",
)  # fmt: skip


def sent(desk: Desk, event: dict[str, Any]) -> dict[str, Any]:
    """What becomes of an event."""
    answer = desk.api.post("/v1/events", desk.api.person("ingest"), json=event)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def rows_of(desk: Desk) -> list[dict[str, Any]]:
    with desk.api.service.store.read() as conn:
        return [dict(row) for row in conn.execute(sa.select(quarantine).order_by(quarantine.c.id)).mappings()]


@pytest.mark.parametrize("what", PICTURES)
def test_a_picture_is_seen_however_it_is_written(what: str) -> None:
    assert found_in(PICTURES[what]) is not None
    missed = [way for way in WAYS if found_in(encodings(PICTURES[what])[way]) is None]
    assert missed == []
    texts = [found.decode() for way in WAYS if (found := encodings(PICTURES[what])[way])]
    texts += ["as characters: ÿØÿàþ" + "." * SHORTEST, "as characters: \x89PNG\r\n" + "." * SHORTEST]
    assert all(found_in(text.encode()) is not None for text in texts)
    assert pc.all(
        pc.match_substring_regex(pa.array(texts), SUSPECT)
    ).as_py()  # none is passed over in a column


@given(st.binary(min_size=40, max_size=200), st.sampled_from(("base64", "hex", "text")))
@settings(max_examples=300)
def test_what_is_no_picture_is_let_pass(content: bytes, how: str) -> None:
    """Tokens, hashes and other bytes written as letters are no pictures."""
    content = b"\x7f" + content  # no mark begins so
    written = {
        "base64": base64.b64encode(content),
        "hex": content.hex().encode(),
        "text": str(list(content)).encode(),
    }[how]
    marks = (b"\xff\xd8\xff", b"PNG", b"GIF8", b"ftyp", b"RIFF")
    if found_in(written) is not None:
        assert pc.match_substring_regex(pa.scalar(written.decode()), SUSPECT).as_py()
    assert found_in(written) is None or any(mark in content for mark in marks)


@pytest.mark.parametrize("field", ["memo", "descriptor", "city", "device", "event_id"])
def test_of_an_event_with_a_picture_only_its_hash_is_kept(either: Desk, field: str) -> None:
    desk = either
    columns: dict[str, Any] = {field: LETTERS["jpeg with exif"]}
    event = json.loads(pay("e-1", 1, **{k: v for k, v in columns.items() if k != "event_id"}))
    found = sent(desk, event | columns)
    assert (found["status"], found["reason"]) == ("quarantined", "picture")
    assert found["duty"] == DUTY
    (row,) = rows_of(desk)
    assert (row["reason"], row["field"], row["value"]) == ("picture", field, None)
    assert DUTY in row["message"]
    kept = json.loads(row["raw"])
    assert kept.keys() == {"withheld", "sha256", "bytes", "field"}
    assert "/9j/" not in str(row)
    problem(desk.api.post(f"/v1/quarantine/{row['id']}/resubmit", desk.ana), 409, "state")


def test_attributes_and_broken_rows_are_looked_at_as_well(desk: Desk) -> None:
    event = json.loads(pay("e-2", 1, attributes={"photo": LETTERS["png"]}))
    assert sent(desk, event)["reason"] == "picture"
    broken = json.loads(pay("e-3", 1, amount="ten", memo=LETTERS["webp"]))
    assert sent(desk, broken)["reason"] == "picture"
    line = b'{"event_id": "e-4", "memo": "' + LETTERS["gif"].encode() + b"\n"  # cut in the middle
    headers = {"content-type": "application/x-ndjson"}
    answer = desk.api.post("/v1/events:bulk", desk.api.person("ingest"), content=line, headers=headers)
    assert answer.json()["quarantined"] == 1, answer.text
    assert len(rows_of(desk)) == 3
    for row in rows_of(desk):
        assert not any(each[:12] in str(row) for each in LETTERS.values())
        assert row["reason"] == "picture"


def test_a_long_harmless_memo_passes(desk: Desk) -> None:
    memo = "Rent of January for the flat in the High Street, thank you. " * 20
    event = json.loads(pay("e-5", 1, memo=memo, attributes={"token": "eyJhbGciOiJIUzI1NiJ9" + "aB3_x" * 40}))
    assert sent(desk, event)["status"] == "accepted"


def test_no_body_takes_a_picture(desk: Desk) -> None:
    case_id = desk.open(desk.alert())
    for text in (LETTERS["png"], f"data:image/png;base64,{LETTERS['png']}", PICTURES["jpeg with exif"].hex()):
        found = problem(desk.do(case_id, "comments", {"text": text[:900]}), 422, "input")
        assert DUTY in found["detail"]
    found = problem(desk.patch(case_id, title=LETTERS["gif"][:150]), 422, "input")
    assert DUTY in found["detail"]
    headers = {"content-type": "image/jpeg"}
    for path, key in (("/v1/events", desk.api.person("ingest")), (f"/v1/cases/{case_id}/comments", desk.ana)):
        answer = desk.api.call("POST", path, key, content=PICTURES["jpeg with exif"], headers=headers)
        assert DUTY in problem(answer, 415, "unsupported_media_type")["detail"]
    ok(desk.do(case_id, "comments", {"text": f"reference {'9f86d081884c7d65' * 4}, {WHY}"}))
