"""What is attached to a case: four kinds, looked into; everything else is refused, and the duty to report named."""

from __future__ import annotations

import base64
import hashlib
import zlib
from pathlib import Path
from typing import Any

import pytest
from apikit import CRITICAL, on_bench, problem
from caseskit import WHY, Desk, ok
from filekit import CSV, PNG, TEXT, hidden, mail, pdf, stream
from servicekit import Bench, simple_rules

from txmon.cases.addresses import hashed
from txmon.cases.sniff import DUTY, kind_of
from txmon.errors import InputError
from txmon.model.keys import ensure_key

PACKED = base64.a85encode(zlib.compress(b"BT (text) Tj ET")) + b"~>"
FONT = zlib.compress(b"\0\1\0\0\0\x0c" + b"\0\0\1\0\0\0\1\xba" * 400)  # what a font is full of
HIDDEN = {what: (name, content) for what, name, content in hidden()}
GOOD = {
    "a.txt": ("text", TEXT), "b.csv": ("csv", CSV), "c.pdf": ("pdf", pdf()), "d.PDF": ("pdf", pdf(packed=False)),
    "e.eml": ("email", mail()), "f.eml": ("email", mail((CSV, "text/csv", "t.csv"), (pdf(), "application/pdf", "s.pdf"))),
    "Kontoauszug März 2026.txt": ("text", "Größe, naïve, 東京\n".encode()),
    "g.pdf": ("pdf", pdf(b"BT ET", stream(b"/Filter [/ASCII85Decode /FlateDecode]", PACKED), stream(b"/Filter /FlateDecode", FONT))),
    "accounts.csv": ("csv", b"account,name\n" + b"".join(b"%016d,person %d\n" % (i * 7919, i) for i in range(900))),
    "accounts.txt": ("text", b"\n".join(b"%016d" % (i * 7919) for i in range(900))),
    "table.txt": ("text", b"FORM 12 of 2026\n" + (b"-" * 79 + b"\n") * 9 + b"| a | b |\n"),
    "h.eml": ("email", mail(html="<p>Dear all, <b>see below</b></p>")),
}  # fmt: skip


def given(name: str, content: bytes) -> dict[str, Any]:
    return {"name": name, "content": base64.b64encode(content).decode()}


@pytest.mark.parametrize("name", GOOD)
def test_the_four_kinds_are_known_by_their_content(name: str) -> None:
    kind, content = GOOD[name]
    assert kind_of(name, content) == kind


def test_so_many_files_that_hide_something_are_all_refused() -> None:
    assert len(HIDDEN) >= 200
    taken, said = [], set()
    for what, (name, content) in HIDDEN.items():
        try:
            taken.append((what, kind_of(name, content)))
        except InputError as error:
            said.add(error.detail.removesuffix(DUTY) != error.detail)
    assert taken == []
    assert said == {True}  # the duty to report is named each time


def test_a_file_comes_back_as_it_was_and_once(either: Desk) -> None:
    desk = either
    case_id = desk.open(desk.alert())
    made = ok(desk.do(case_id, "files", given("b.csv", CSV)))
    (shown,) = desk.case(case_id)["files"]
    assert (shown["file_id"], shown["kind"], shown["name"]) == (made["file_id"], "csv", "b.csv")
    assert shown["sha256"] == hashlib.sha256(CSV).hexdigest()
    path = f"/v1/cases/{case_id}/files/{made['file_id']}"
    assert base64.b64decode(desk.get(path, purpose=WHY)["content"]) == CSV
    problem(desk.api.get(path, desk.ana), 400, "purpose_required")
    problem(desk.api.get(f"/v1/cases/{case_id}/files/fil_none", desk.ana, purpose=WHY), 404, "not_found")
    problem(desk.do(case_id, "files", given("again.csv", CSV)), 409, "transition")
    found = problem(desk.do(case_id, "files", given("a.txt", PNG)), 422, "input")
    assert DUTY in found["detail"]
    told = desk.decisions()[-1]
    assert (told["decision"], told["sha256"]) == ("case.file_added", shown["sha256"])
    assert "content" not in told
    assert "name" not in desk.get(f"/v1/cases/{case_id}")["files"][0]
    problem(desk.do(case_id, "files", {"name": "a.txt", "content": "%%%"}), 422, "invalid")


def test_no_address_is_written_into_a_case_about_children(tmp_path: Path) -> None:
    key = tmp_path / "pan.key"
    made = ensure_key(key)
    bench = Bench(tmp_path, simple_rules(tmp_path, CRITICAL), str(tmp_path / "store"))
    with on_bench(bench, key_file=key) as api:
        desk = Desk(api)
        case_id = desk.open(desk.alert(), restriction="child_exploitation")
        address = "https://Bad.example/room?id=7"
        text = f"seen at {address}"
        party = {"kind": "other", "ref": "x", "role": "site_operator", "confidence": "low", "basis": text}
        signs = {"answers": [{"sign": "fear", "answer": "unknown", "note": text}]}
        for part, body in (("comments", {"text": text}), ("parties", party), ("checklist", signs)):
            problem(desk.do(case_id, part, body), 422, "input")
        problem(desk.patch(case_id, state="investigating", reason=text), 422, "input")
        problem(desk.patch(case_id, title="www.bad.example/x"), 422, "input")
        problem(desk.patch(case_id, restriction=None, reason=text), 422, "input")
        problem(desk.ask_open(desk.alert(), restriction="child_exploitation", title=text), 422, "input")
        problem(desk.do(case_id, "files", given("a.txt", text.encode())), 422, "input")
        problem(desk.do(case_id, "files", given("a.eml", mail(text=text))), 422, "input")
        link = pdf(b"BT ET", b"<< /S /URI /URI (x) >>")
        problem(desk.do(case_id, "files", given("a.pdf", link)), 422, "input")
        kept = ok(desk.do(case_id, "addresses", {"url": address, "hotline": "H-2026-17"}))["address"]
        assert kept == hashed("hxxps://bad.example/room?id=7", made)
        assert kept.startswith(f"url_{made.id}_")
        told = desk.decisions()[-1]
        assert (told["decision"], told["address"], told["hotline"]) == ("case.address", kept, "H-2026-17")
        assert "bad.example" not in str(desk.decisions()).lower()
        other = desk.open(desk.alert())  # elsewhere addresses are words like others
        ok(desk.do(other, "comments", {"text": text}))


def test_without_a_key_file_no_address_is_kept(desk: Desk, tmp_path: Path) -> None:
    case_id = desk.open(desk.alert())
    object.__setattr__(desk.api.service.settings, "key_file", tmp_path / "none")
    problem(desk.do(case_id, "addresses", {"url": "https://x.example/"}), 409, "state")


def test_addresses_of_before_are_masked_from_then_on(tmp_path: Path) -> None:
    """Whatever was written while nobody knew: shown as keyed hashes, equal to that of the address itself."""
    key = tmp_path / "pan.key"
    made = ensure_key(key)
    bench = Bench(tmp_path, simple_rules(tmp_path, CRITICAL), str(tmp_path / "store"))
    with on_bench(bench, key_file=key) as api:
        desk = Desk(api)
        address = "https://bad.example/room?id=7"
        text = f"seen at {address}, and www.bad.example"
        alert = desk.alert(memo=text, payee="bad.example/shop")
        case_id = desk.open(alert, title="Room at bad[.]example/room")
        ok(desk.do(case_id, "comments", {"text": text}))
        party = {"kind": "other", "ref": address, "role": "site_operator", "confidence": "low", "basis": text}
        ok(desk.do(case_id, "parties", party))
        ok(desk.do(case_id, "checklist", {"answers": [{"sign": "fear", "answer": "unknown", "note": text}]}))
        ok(desk.patch(case_id, state="investigating", reason=text))
        kept = ok(desk.do(case_id, "files", given("a.txt", text.encode())))["file_id"]
        plain = ok(desk.do(case_id, "files", given("b.txt", b"no address in it\n")))["file_id"]
        waits = desk.patch(case_id, severity="low", reason=text).json()["proposal_id"]
        shown = everything(desk, case_id, alert, waits)
        assert "bad.example" in shown
        ok(desk.patch(case_id, restriction="child_exploitation"))
        shown = everything(desk, case_id, alert, waits)
        assert "bad.example" not in shown
        assert "bad[.]example" not in shown
        assert hashed(address, made) in shown
        path = f"/v1/cases/{case_id}/files/"
        found = problem(desk.api.get(path + kept, desk.ana, purpose=WHY), 409, "transition")
        assert hashlib.sha256(text.encode()).hexdigest() in found["detail"]
        assert desk.get(path + plain, purpose=WHY)["kind"] == "text"
        key.unlink()
        shown = everything(desk, case_id, alert, waits)
        assert "bad.example" not in shown
        assert "[address of the web]" in shown


def everything(desk: Desk, case_id: str, alert: dict[str, Any], proposal: str) -> str:
    """All that is shown of a case."""
    name = alert["alert_id"]
    paths = (
        f"/v1/cases/{case_id}", f"/v1/cases/{case_id}/timeline", f"/v1/cases/{case_id}/network", "/v1/cases", f"/v1/alerts/{name}",
        "/v1/alerts", f"/v1/hits?alert={name}", f"/v1/proposals/{proposal}", "/v1/proposals", "/v1/queue",
    )  # fmt: skip
    answers = [desk.api.get(path, desk.ana, purpose=WHY) for path in paths]
    assert {each.status_code for each in answers} <= {200}, [each.text for each in answers]
    return "".join(each.text for each in answers)
