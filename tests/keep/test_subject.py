"""What a person is told of itself: all its events, nobody else, and the same with and without an alert or a case."""

from __future__ import annotations

import csv
import io
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest
from apikit import on_bench, pay, problem
from caseskit import WHY, Desk, ok
from hypothesis import given
from hypothesis import strategies as st
from servicekit import Bench
from test_retire import opened

from txmon.errors import InputError
from txmon.store.retention import DAY_US
from txmon.store.retentionfile import load_classes
from txmon.store.subject import Redaction, find_subject
from txmon.store.subjectzip import Asked, write_whole, zip_of

BY = Asked("person:ana", "person:ben", 1_900_000_000_000_000)


def profile(account: str, *parties: str) -> bytes:
    holders = [{"party": party, "role": "owner"} for party in parties]
    event = {"event_id": f"open-{account}", "kind": "account.opened", "event_time": "2026-01-01T00:00:00Z"}
    return json.dumps(event | {"account": account, "holders": holders}).encode()


def told(store: Any, now_us: int, party: str = "jane", include: tuple[str, ...] = ()) -> Any:
    return find_subject(store, party, load_classes().at(now_us), include)


def files_of(content: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert archive.testzip() is None
        return {name: archive.read(name) for name in archive.namelist()}


def a_life(desk: Desk) -> None:
    """Events of an account that jane and john hold, and of others."""
    send = desk.api.send
    send(profile("acct-j", "jane", "john"))
    send(pay("e-1", 1, payer="acct-j", payee="secret-landlord", memo="rent to secret-landlord", device="dev-j",
             ip="10.0.0.1", city="Utrecht"))  # fmt: skip
    send(pay("e-2", 2, payer="secret-boss", payee="acct-j", memo="secret wages", device="secret-device",
             ip="10.9.9.9", city="Secretville", card_last4="4242"))  # fmt: skip
    send(pay("e-3", 3, payer="secret-x", payee="secret-y"))


def test_it_is_all_of_ones_own_and_nothing_of_others(either: Desk) -> None:
    a_life(either)
    store, now = either.api.service.store, either.api.service.doors.clock.now_us()
    found = told(store, now)
    assert found.own == {"jane", "acct-j"}
    assert [event["event_id"] for event in found.events] == ["open-acct-j", "e-1", "e-2"]
    files = files_of(zip_of(found, BY))
    for name, content in files.items():
        for secret in (b"secret", b"Secretville", b"10.9.9.9", b"john", b"4242"):
            assert secret not in content, (name, secret)
    text = files["events.jsonl"].decode()
    for own in ("acct-j", "jane", "dev-j", "10.0.0.1", "Utrecht", "rent to other-"):
        assert own in text, own
    rows = list(csv.DictReader(io.StringIO(files["events.csv"].decode())))
    assert [row["event_id"] for row in rows] == ["open-acct-j", "e-1", "e-2"]
    manifest = json.loads(files["manifest.json"])
    assert set(manifest["files"]) == files.keys() - {"manifest.json"}
    assert b"<script" not in files["index.html"]


def test_nothing_tells_whether_one_is_under_alert_or_in_a_case(tmp_path: Path) -> None:
    """Two worlds with the same events: in one they open an alert that becomes a case, with a determination."""
    made = []
    for watched in (False, True):
        folder = tmp_path / str(watched)
        folder.mkdir()
        rule = {
            "id": "grave", "subject": "payer", "score": 0.9, "severity": "critical", "typology": "mule-layering",
            "let": {"n": "count(*) over payer_3d"}, "when": f"n >= {1 if watched else 900}", "explain": "{n}",
        }  # fmt: skip
        from servicekit import simple_rules

        bench = Bench(folder, simple_rules(folder, rule), str(folder / "store"))
        with on_bench(bench) as api:
            desk = Desk(api)
            a_life(desk)
            if watched:
                alerts = desk.get("/v1/alerts", purpose=WHY)["items"]
                case_id = desk.open(next(a for a in alerts if a["subject_id"] == "acct-j"))
                ok(desk.patch(case_id, facts_known_at="2026-01-06T00:00:00Z"))
            else:
                assert desk.get("/v1/alerts", purpose=WHY)["items"] == []
        for years in (0, 5 * 366):  # and when plain events are past, but not those of the case
            bench.clock.time_us += years * DAY_US
            with opened(bench) as store:
                made.append(zip_of(told(store, bench.clock.now_us()), BY))
    assert made[0] == made[2]
    assert made[1] == made[3]
    assert files_of(made[0])["events.jsonl"] != b""


def test_what_is_included_is_said_and_needs_a_second_person(desk: Desk) -> None:
    alert = desk.alert(payer="jane-account")
    desk.open(alert)
    desk.api.send(json.dumps({"event_id": "t-1", "kind": "tip.received", "event_time": "2026-01-05T12:00:00Z", "account": "jane-account"}).encode())  # fmt: skip
    ask = {"party": "jane-account", "reason": "request of 3 March", "include": ["alerts", "cases", "tips"]}
    problem(desk.api.post("/v1/subject-exports", desk.ana, json=ask), 403, "forbidden")
    asked = desk.api.post("/v1/subject-exports", desk.ben, json=ask)
    path = f"/v1/subject-exports/{asked.json()['proposal_id']}"
    problem(desk.api.get(path, desk.ben, purpose=WHY), 409, "state")
    problem(desk.decide(asked, desk.ben), 403, "four_eyes")
    assert desk.decide(asked, desk.sara).status_code == 200
    problem(desk.api.get(path, desk.ben), 400, "purpose_required")
    answer = desk.api.get(path, desk.ben, purpose=WHY)
    assert answer.headers["content-type"] == "application/zip"
    files = files_of(answer.content)
    assert {"alerts.jsonl", "hits.jsonl", "cases.jsonl", "tips.jsonl"} <= files.keys()
    assert alert["alert_id"].encode() in files["alerts.jsonl"]
    assert json.loads(files["manifest.json"])["included"]["alerts"] == 1
    plain = desk.api.post("/v1/subject-exports", desk.ben, json=ask | {"include": []})
    assert desk.decide(plain, desk.sara).status_code == 200
    path = f"/v1/subject-exports/{plain.json()['proposal_id']}"
    files = files_of(desk.api.get(path, desk.sara, purpose=WHY).content)
    assert files.keys() == {"events.jsonl", "events.csv", "index.html", "manifest.json"}
    assert b"tip.received" not in files["events.jsonl"]
    assert alert["alert_id"].encode() not in b"".join(files.values())
    assert (
        desk.api.get(path, desk.ben, purpose=WHY).content == desk.api.get(path, desk.ben, purpose=WHY).content
    )


def test_a_file_is_whole_or_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import os

    path = tmp_path / "out.zip"
    write_whole(path, b"whole")
    assert (path.read_bytes(), path.stat().st_mode & 0o777) == (b"whole", 0o600)
    with pytest.raises(InputError, match="not replaced"):
        write_whole(path, b"other")
    assert path.read_bytes() == b"whole"
    full = tmp_path / "full.zip"

    def fails(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fails)
    with pytest.raises(InputError, match="No space left"):
        write_whole(full, b"half")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["out.zip"]


def test_wrong_asks_are_refused(desk: Desk) -> None:
    store = desk.api.service.store
    with pytest.raises(InputError, match="name the person"):
        told(store, 0, " ")
    with pytest.raises(InputError, match="cannot be included"):
        told(store, 0, "jane", ("scores",))


_names = st.sampled_from(["me", "secret-1", "secret-2", "secret-3"])
_event = st.fixed_dictionaries(
    {"kind": st.sampled_from(["payment", "refund", "transfer", "account.updated", "device.seen"])},
    optional={
        **dict.fromkeys(("payer", "payee", "account", "party", "merchant", "terminal"), _names),
        "card": st.sampled_from(["me", "secret-card"]),
        "device": st.just("secret-device"),
        "memo": st.text("ab secret-123", max_size=20),
        "holders": st.lists(st.fixed_dictionaries({"party": _names, "role": st.just("owner")}), max_size=3),
    },
)


@given(_event)
def test_no_identifier_of_another_is_left_in_any_event(event: dict[str, Any]) -> None:
    found = Redaction({"me"}).event(event)
    for name in ("payer", "payee", "account", "party", "merchant", "terminal"):
        assert not str(found.get(name, "")).startswith("secret"), name
    assert not any(holder["party"].startswith("secret") for holder in found.get("holders", ()))
    mine = "me" in (event.get("payer"), event.get("payee"), event.get("account"), event.get("party"), event.get("merchant"), event.get("card"))  # fmt: skip
    if not mine:
        assert "card" not in found
        assert "device" not in found
    for name in {event.get("payer"), event.get("payee")} - {"me", None}:
        assert name not in found.get("memo", "")
