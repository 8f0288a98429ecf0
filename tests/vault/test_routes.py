"""The vault by its routes: a report's whole way, versions, purposes, and what each role may look at."""

from __future__ import annotations

from base64 import b64decode, b64encode
from hashlib import sha256
from typing import Any

import pytest
from apikit import problem
from vaultapi import ANA, BEN, VaultDesk
from vaultkit import WHY


def test_a_report_goes_its_whole_way(shared: VaultDesk) -> None:
    desk = shared
    case_id = desk.open(desk.alert())
    report_id = desk.new_report(case_id, ("goaml", "html"))
    shown = desk.look(report_id)
    assert (shown["state"], shown["case_id"], shown["version"]) == ("draft", case_id, 1)
    assert shown["actions"] == ["edit", "sign", "submit", "propose_no_file"]
    assert shown["model"]["report"]["narrative"]["signed"] is None
    problem(desk.do(report_id, "submission"), 409, "transition")
    desk.did(report_id, "signature")
    signed = desk.look(report_id)["model"]["report"]["narrative"]["signed"]
    assert signed["signer"] == "Ana Officer"
    desk.did(report_id, "submission")
    problem(desk.do(report_id, "release"), 403, "forbidden")  # not her role
    bundle = b64encode(b"bundle of evidence").decode()
    desk.did(report_id, "release", {"evidence": {"name": "a.zip", "content": bundle}}, desk.release)
    shown = desk.look(report_id)
    assert (shown["state"], shown["released_by"]) == ("released", BEN)
    file = desk.ask("GET", f"/reports/{report_id}/files/goaml").json()
    content = b64decode(file["content"])
    assert file["sha256"] == sha256(content).hexdigest()
    assert content.startswith(b"<?xml")
    kept = desk.ask("GET", f"/reports/{report_id}/kept").json()["items"]
    assert [copy["name"] for copy in kept] == ["a.zip"]  # the invented events are in no journal
    answered = {"format": "goaml", "accepted": True, "authority_id": "FIU-77"}
    assert desk.did(report_id, "acknowledgement", answered)["state"] == "acknowledged"
    later = desk.do(report_id, "correction", {"reason": "the amount was wrong"})
    assert later.status_code == 201
    new = desk.look(later.json()["report_id"])
    assert (new["kind"], new["prior"]["report_id"], new["prior"]["authority_id"]) == (
        "correction",
        report_id,
        "FIU-77",
    )
    assert new["model"]["report"]["prior_filing"]["reference"] == "FIU-77"
    assert desk.look(report_id)["next"] == [new["report_id"]]


def test_an_edit_is_of_the_version_that_was_read(shared: VaultDesk) -> None:
    report_id = shared.new_report()
    model = shared.look(report_id)["model"]
    model["report"]["narrative"]["paragraphs"][0]["text"] = "Three transfers were made at night."
    path = f"/reports/{report_id}"
    problem(shared.ask("PUT", path, {"model": model}), 428, "precondition_required")
    answer = shared.ask("PUT", path, {"model": model}, version=1)
    assert answer.json() == {"report_id": report_id, "version": 2, "state": "draft"}
    assert answer.headers["etag"] == '"v2"'
    problem(shared.ask("PUT", path, {"model": model}, shared.release, version=1), 412, "conflict")
    assert shared.look(report_id)["model"] == model
    assert shared.look(report_id)["editors"] == [ANA]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"report_id": "rep_other"}, "input"), ({"case_id": "cas_other"}, "input"), ({"mode": "test"}, "input"),
        ({"facts_known_at": None}, "input"), ({"colour": "red"}, "report_model"), ({"kind": 7}, "report_model"),
        ({"facts_known_at": {"at": "2029-01-01T00:00:00Z", "author": "x", "text": ""}}, "input"),
    ],
)  # fmt: skip
def test_an_edit_that_is_none_is_refused_and_nothing_of_it_is_told(
    shared: VaultDesk, change: dict[str, Any], code: str
) -> None:
    report_id = shared.new_report()
    model = shared.look(report_id)["model"]
    model["report"] |= change
    found = problem(shared.ask("PUT", f"/reports/{report_id}", {"model": model}, version=1), 422, code)
    assert "Example" not in str(found)
    assert shared.look(report_id)["version"] == 1


def test_errors_stop_a_submission_and_are_named_at_their_fields(shared: VaultDesk) -> None:
    report_id = shared.new_report()
    model = shared.look(report_id)["model"]
    model["report"]["subjects"] = []
    shared.ask("PUT", f"/reports/{report_id}", {"model": model}, version=1)
    checked = shared.ask("POST", f"/reports/{report_id}/check", {}).json()
    assert not checked["ready"]
    assert "subjects" in {f["path"] for f in checked["formats"][0]["findings"]}
    shared.did(report_id, "signature")
    found = problem(shared.do(report_id, "submission"), 422, "report_incomplete")
    assert "subjects" in {f["path"] for f in found["findings"]["goaml"]}
    assert shared.look(report_id)["state"] == "draft"


def test_a_model_is_checked_without_being_stored(shared: VaultDesk) -> None:
    report_id = shared.new_report()
    model = shared.look(report_id)["model"]
    model["report"]["narrative"]["paragraphs"] = []
    checked = shared.ask("POST", f"/reports/{report_id}/check", {"model": model}).json()
    assert "narrative.paragraphs" in {f["path"] for f in checked["formats"][0]["findings"]}
    assert shared.look(report_id)["version"] == 1


def test_every_look_names_its_purpose_and_is_in_the_log(shared: VaultDesk) -> None:
    report_id = shared.new_report()
    for path in (
        "/reports",
        f"/reports/{report_id}",
        f"/reports/{report_id}/comments",
        "/reminders",
        "/log",
        "/grants",
    ):
        answer = shared.api.get(f"/v1/vault{path}", shared.mlro)
        problem(answer, 400, "purpose_required")
        before = shared.ask("GET", "/log").json()["items"][0]["seq"]
        assert shared.ask("GET", path).status_code == 200
        rows = [row for row in shared.ask("GET", "/log").json()["items"] if row["seq"] > before]
        looks = [row for row in rows if row["action"] != "look.log"]
        assert path == "/log" or [(row["by"], row["purpose"]) for row in looks] == [(ANA, WHY)], path


def test_no_report_is_made_by_two_people(shared: VaultDesk) -> None:
    report_id = shared.new_report()
    shared.did(report_id, "no-file", {"reason": "a lawful business after all"})
    body = {"approve": True, "reason": "seen"}
    problem(shared.do(report_id, "no-file/decision", body), 403, "forbidden")
    assert shared.did(report_id, "no-file/decision", body, shared.release)["state"] == "no_file"
    shown = shared.look(report_id)
    assert shown["no_file"]["decided_by"] == BEN
    assert shown["actions"] == []


def test_a_rejected_report_is_mended_in_its_place(shared: VaultDesk) -> None:
    report_id = shared.released()
    wrong = {"path": "parties[0].person.born_on", "message": "is not a day"}
    answered = {"format": "goaml", "accepted": False, "authority_id": "R-1", "errors": [wrong]}
    assert shared.did(report_id, "acknowledgement", answered)["state"] == "rejected"
    assert shared.look(report_id)["acknowledgements"][0]["errors"][0]["path"] == wrong["path"]
    assert shared.did(report_id, "correction", {"reason": "mended"})["state"] == "draft"
    shown = shared.look(report_id)
    assert (shown["signed_by"], shown["released"]) == (None, None)
    assert shown["model"]["report"]["prior_filing"]["rejected"] is True
    shared.did(report_id, "signature")
    shared.did(report_id, "submission")
    assert shared.did(report_id, "release", key=shared.release)["state"] == "released"
    assert len(shared.look(report_id)["files"]) == 2


def test_what_goes_on_is_a_draft_of_its_own_from_the_case(shared: VaultDesk) -> None:
    report_id = shared.released()
    problem(shared.do(report_id, "continuation", {"reason": "x"}), 409, "transition")
    shared.did(report_id, "acknowledgement", {"format": "goaml", "accepted": True, "authority_id": "F"})
    new = shared.did(report_id, "continuation", {"reason": "it goes on"})
    shown = shared.look(new["report_id"])
    assert (shown["state"], shown["kind"], shown["prior"]["report_id"]) == ("draft", "continuing", report_id)


def test_a_repeated_request_is_done_once_and_kept_in_the_vault_alone(shared: VaultDesk) -> None:
    case_id = shared.open(shared.alert())
    body, headers = {"case_id": case_id, "formats": ["goaml"]}, {"idempotency-key": "once"}
    first = shared.ask("POST", "/reports", body, headers=headers)
    again = shared.ask("POST", "/reports", body, headers=headers)
    assert (again.status_code, again.content) == (201, first.content)
    assert again.headers["idempotent-replayed"] == "true"
    assert again.headers["etag"] == first.headers["etag"]
    other = shared.ask("POST", "/reports", body | {"formats": ["html"]}, headers=headers)
    problem(other, 422, "idempotency_mismatch")
    assert len(shared.ask("GET", f"/reports?case_id={case_id}").json()["items"]) == 1
    with shared.api.service.store.read() as conn:
        assert conn.exec_driver_sql("select count(*) from answers").scalar() == 0


def test_lists_come_in_pages_and_by_state_and_case(shared: VaultDesk) -> None:
    made = []
    for _ in range(3):
        shared.api.service.doors.clock.time_us += 1_000_000  # type: ignore[attr-defined]
        made.append(shared.new_report())
    first = shared.ask("GET", "/reports?limit=2").json()
    assert [each["report_id"] for each in first["items"]] == made[:0:-1]
    rest = shared.ask("GET", f"/reports?limit=2&cursor={first['next_cursor']}").json()
    assert rest["items"][0]["report_id"] == made[0]
    case_id = shared.look(made[1])["case_id"]
    assert [e["report_id"] for e in shared.ask("GET", f"/reports?case_id={case_id}").json()["items"]] == [
        made[1]
    ]
    states = {e["state"] for e in shared.ask("GET", "/reports?state=draft").json()["items"]}
    assert states == {"draft"}


def test_comments_are_added_and_read(shared: VaultDesk) -> None:
    report_id = shared.new_report()
    assert (
        shared.ask("POST", f"/reports/{report_id}/comments", {"text": "call the branch"}).status_code == 201
    )
    (said,) = shared.ask("GET", f"/reports/{report_id}/comments", key=shared.release).json()["items"]
    assert (said["author"], said["text"]) == (ANA, "call the branch")
