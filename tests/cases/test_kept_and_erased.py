"""Cases through erasure, retention and backup: who is erased is gone, what a case needs stays."""

from __future__ import annotations

import sqlalchemy as sa
from caseskit import WHY, Desk, ok

from txmon.store import casetables
from txmon.store.erase import Why, erase_subjects
from txmon.store.holds import held
from txmon.store.verify import verify


def test_who_is_erased_is_in_no_table_of_cases(desk: Desk) -> None:
    alert, other = desk.alert(payer="jane-roe"), desk.alert()
    case_id = desk.open(alert, other, title="About jane-roe")
    party = {"kind": "person", "ref": "p-1", "name": "jane-roe", "role": "client", "confidence": "low"}
    ok(desk.do(case_id, "parties", party | {"basis": "jane-roe said so"}))
    ok(desk.do(case_id, "comments", {"text": "spoke to jane-roe today"}))
    sign = {"sign": "fear", "answer": "seen", "witness": "clerk", "note": "jane-roe was afraid"}
    ok(desk.do(case_id, "checklist", {"answers": [sign]}))
    file = {
        "name": "note.txt",
        "content": "amFuZS1yb2UgY2FtZSBhZ2FpbiB0b2RheQ==",
    }  # jane-roe came again today
    ok(desk.do(case_id, "files", file))
    ok(desk.patch(case_id, state="investigating", reason="jane-roe called"))
    store = desk.api.service.store
    desk.api.service._writer.stop("test", 30)
    erase_subjects(store, ["jane-roe"], Why("asked for it", "person:a", "person:b"))
    with store.read() as conn:
        for table in casetables.TABLES:
            rows = [dict(row) for row in conn.execute(sa.select(table)).mappings()]
            assert "jane-roe" not in str(rows), table.name
        assert conn.execute(sa.select(casetables.case_files)).first() is None  # the whole file
        kept = conn.execute(sa.select(casetables.cases)).mappings().one()
    assert (kept["case_id"], kept["state"]) == (case_id, "investigating")
    # people that a test puts into the table are made by no decision; nothing else is to be found
    assert all("was made by no decision" in each.what for each in verify(store).findings)


def test_a_case_that_lost_texts_is_still_shown(desk: Desk) -> None:
    case_id = desk.open(desk.alert(payer="jane-roe"), desk.alert())
    ok(desk.do(case_id, "comments", {"text": "jane-roe"}))
    log, parties = casetables.case_log, casetables.case_parties
    desk.change(lambda tx: tx.conn.execute(sa.update(log).values(facts="[erased]")) and None)
    desk.change(lambda tx: tx.conn.execute(sa.update(parties).values(ref="[erased]")) and None)
    lines = desk.get(f"/v1/cases/{case_id}/timeline", purpose=WHY)["items"]
    assert {each["facts"] for each in lines if each["what"] == "decision"} == {"[erased]"}
    assert desk.case(case_id)["parties"][0]["ref"] == "[erased]"
    desk.get(f"/v1/cases/{case_id}/network", purpose=WHY)


def test_retention_leaves_what_a_party_of_an_open_case_did(either: Desk) -> None:
    desk = either
    case_id = desk.open(desk.alert())
    desk.api.send(b'{"event_id":"old-1","event_time":"2026-01-05T12:00:00Z","amount":"1.00","currency":"EUR","payer":"quiet","payee":"x"}')  # fmt: skip
    store, all_of_them = desk.api.service.store, 2**62
    before = held(store, all_of_them)
    party = {"kind": "account", "ref": "quiet", "role": "middleman", "confidence": "low", "basis": WHY}
    ok(desk.do(case_id, "parties", party))
    assert len(held(store, all_of_them)) == len(before) + 1
    for state in ("investigating", "decided", "closed"):
        ok(desk.patch(case_id, state=state))
    assert held(store, all_of_them) == before
