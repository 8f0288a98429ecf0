"""To whoever has no role in the vault its paths are unknown ones; who has one sees what the role, key and case allow."""

from __future__ import annotations

import itertools
import re
from typing import Any

import pytest
from apikit import problem
from vaultapi import ANA, VaultDesk
from vaultkit import DAY_US, WHY

from txmon.api.table import TABLE, Entry
from txmon.clock import rfc3339
from txmon.store.identity import ENROL, ROLES, SCOPES

HIDDEN = [entry for entry in TABLE if entry.vault]
SINGLE = (*sorted(ROLES), "everything")


def seen(answer: Any) -> tuple[int, bytes, dict[str, str]]:
    """All of an answer but the request's id, which is drawn."""
    number = answer.headers["x-request-id"]
    headers = {k: v for k, v in answer.headers.items() if k != "x-request-id"}
    return answer.status_code, answer.content.replace(number.encode(), b"-"), headers


def asked(desk: VaultDesk, entry: Entry, key: str | None, report_id: str, **headers: str) -> Any:
    path = entry.path.replace("{report_id}", report_id).replace("{format}", "goaml")
    path = re.sub(r"\{\w+\}", "vgr_aaaaaaaaaaaaaaaa", path)
    more: dict[str, Any] = {"json": {"reason": WHY}} if entry.method in ("POST", "PUT") else {}
    return desk.api.call(
        entry.method, path, key, headers={"x-purpose": WHY, "if-match": '"v1"'} | headers, **more
    )


@pytest.fixture(scope="module")
def report_id(shared: VaultDesk) -> str:
    return shared.released()


@pytest.mark.parametrize("entry", HIDDEN, ids=lambda e: e.name)
def test_a_path_of_the_vault_is_an_unknown_path_to_everybody_else(
    shared: VaultDesk, entry: Entry, report_id: str
) -> None:
    unknown = seen(shared.api.call(entry.method, "/v1/nowhere", headers={"x-purpose": WHY}))
    assert unknown[0] == 404
    keys: list[str | None] = [None, "nonsense", "txm_live_aaaaaaaa_" + "a" * 43]
    for role, scope in itertools.product(SINGLE, (None, *sorted(SCOPES))):
        roles = tuple(ROLES) if role == "everything" else (role,)
        scopes = SCOPES if scope is None else frozenset((scope,))
        keys += [shared.api.person(*roles, scopes=scopes), shared.api.worker(*roles, scopes=tuple(scopes))]
    keys.append(shared.api.person(*ROLES, scopes=frozenset((ENROL,))))
    keys.append(shared.named(ANA, "Ana", "key_without_read", scopes=SCOPES - {"read"}))
    keys.append(shared.named(ANA, "Ana", "key_enrol", scopes=frozenset((ENROL, "read"))))
    for key in keys:
        assert seen(asked(shared, entry, key, report_id)) == unknown, key
        assert seen(asked(shared, entry, key, "rep_aaaaaaaaaaaaaaaa")) == unknown, key


def test_a_wrong_method_and_a_path_that_is_none_are_unknown_too(shared: VaultDesk, report_id: str) -> None:
    unknown = seen(shared.api.call("GET", "/v1/nowhere"))
    for path in (
        "/v1/vault",
        "/v1/vault/",
        "/v1/vault/nowhere",
        f"/v1/vault/reports/{report_id}",
        "/v1/vaults",
    ):
        for method in ("GET", "POST", "PUT", "PATCH", "DELETE", "TRACE", "OPTIONS"):
            answer = shared.api.call(method, path, shared.api.person(*ROLES))
            assert seen(answer) == unknown, (method, path)


def test_bodies_that_are_refused_elsewhere_are_not_looked_at(shared: VaultDesk, report_id: str) -> None:
    unknown = seen(shared.api.call("POST", "/v1/nowhere"))
    for content in (b"{", b"x" * 3_000_000, b"[" * 500):
        answer = shared.api.call("POST", "/v1/vault/reports", shared.api.person(*ROLES), content=content)
        assert seen(answer) == unknown
    answer = shared.api.post("/v1/vault/reports", None, headers={"idempotency-key": "x" * 300})
    assert seen(answer) == unknown


def test_who_is_turned_away_leaves_no_trace(shared: VaultDesk, report_id: str) -> None:
    access, metrics = shared.api.access, shared.api.service.metrics

    def traces() -> Any:
        text = metrics.render("text/plain")[0].decode()
        counted = [
            line for line in text.splitlines() if re.match(r"txmon_(auth_failures|rate_limited)", line)
        ]
        return counted, access.unwritten, shared.api.audit.waiting

    before = traces()
    for entry in HIDDEN:
        for key in (None, "nonsense", shared.api.person("analyst")):
            asked(shared, entry, key, report_id)
    assert traces() == before
    for entry in HIDDEN:
        asked(shared, entry, shared.mlro, report_id)
    assert traces() == before
    assert "vault" not in metrics.render("text/plain")[0].decode()


def test_keys_of_a_mode_or_an_entity_see_reports_of_it_alone(shared: VaultDesk, report_id: str) -> None:
    for more in ({"mode": "test"}, {"entities": frozenset({"elsewhere"})}):
        key = shared.named(ANA, "Ana", f"key_{next(iter(more))}", **more)
        problem(shared.ask("GET", f"/reports/{report_id}", key=key), 404, "not_found")
        assert shared.ask("GET", "/reports", key=key).json()["items"] == []
        assert shared.ask("GET", "/reminders", key=key).json()["items"] == []
        rows = shared.ask("GET", "/log?limit=200", key=key).json()["items"]
        assert report_id not in {row["report_id"] for row in rows}
        problem(shared.ask("GET", f"/log?report_id={report_id}", key=key), 404, "not_found")
    key = shared.named(ANA, "Ana", "key_live", mode="live")
    assert shared.look(report_id, key)["report_id"] == report_id


def test_a_case_that_is_shut_to_somebody_shuts_its_report(shared: VaultDesk) -> None:
    case_id = shared.open(shared.alert())
    report_id = shared.new_report(case_id)
    shared.look(report_id, shared.release)
    assert shared.patch(case_id, restriction="own_staff").status_code == 200
    problem(shared.ask("GET", f"/reports/{report_id}"), 404, "not_found")
    problem(shared.ask("POST", "/reports", {"case_id": case_id, "formats": ["goaml"]}), 404, "not_found")
    assert report_id not in [e["report_id"] for e in shared.ask("GET", "/reports?limit=200").json()["items"]]


def test_a_party_of_the_case_is_shut_out_for_good(shared: VaultDesk) -> None:
    case_id = shared.open(shared.alert())
    party = {
        "kind": "person",
        "ref": "p",
        "role": "unknown",
        "confidence": "low",
        "basis": WHY,
        "user_id": ANA,
    }
    assert shared.do_case(case_id, "parties", party).status_code == 200
    problem(shared.ask("POST", "/reports", {"case_id": case_id, "formats": ["goaml"]}), 404, "not_found")


def test_an_examiner_sees_the_named_reports_for_a_time_and_changes_nothing(
    shared: VaultDesk, report_id: str
) -> None:
    eva = shared.named("psn_cccccccccccccccc", "Eva Examiner")
    other = shared.new_report()
    now = shared.api.service.doors.clock.now_us()
    body = {
        "person_id": "psn_cccccccccccccccc", "role": "examiner", "reason": "yearly examination", "reports": [report_id],
        "from": rfc3339(now + DAY_US), "until": rfc3339(now + 3 * DAY_US),
    }  # fmt: skip
    made = shared.ask("POST", "/grants", body)
    assert made.status_code == 201, made.text
    path = f"/grants/{made.json()['grant_id']}/decision"
    problem(shared.ask("POST", path, {"approve": True, "reason": "seen"}), 403, "four_eyes")
    assert (
        shared.ask("POST", path, {"approve": True, "reason": "seen"}, shared.release).json()["state"]
        == "active"
    )
    clock = shared.api.service.doors.clock
    problem(shared.ask("GET", "/me", key=eva), 404, "not_found")  # not yet
    clock.time_us = now + DAY_US  # type: ignore[attr-defined]
    me = shared.ask("GET", "/me", key=eva).json()
    assert (me["roles"], me["reports"]) == (["examiner"], [report_id])
    assert shared.look(report_id, eva)["actions"] == []
    assert [e["report_id"] for e in shared.ask("GET", "/reports", key=eva).json()["items"]] == [report_id]
    problem(shared.ask("GET", f"/reports/{other}", key=eva), 404, "not_found")
    for entry in HIDDEN:
        answer = asked(shared, entry, eva, report_id)
        if entry.method != "GET" or "examiner" not in entry.roles:
            assert answer.status_code == 403, entry.name
        elif "{report_id}" in entry.path:
            assert answer.status_code == 200, (entry.name, answer.text)
    rows = shared.ask("GET", f"/log?report_id={report_id}&limit=200").json()["items"]
    assert {row["action"] for row in rows if row["by"] == "psn_cccccccccccccccc"} >= {
        "look",
        "look.file",
        "look.kept",
    }
    clock.time_us = now + 3 * DAY_US  # type: ignore[attr-defined]
    problem(shared.ask("GET", "/me", key=eva), 404, "not_found")  # no longer


def test_a_grant_takes_two_people_and_two_always_stay(shared: VaultDesk) -> None:
    shared.named("psn_dddddddddddddddd", "Dan")
    body = {"person_id": "psn_dddddddddddddddd", "role": "mlro_release", "reason": "a third pair of eyes"}
    made = shared.ask("POST", "/grants", body).json()
    problem(shared.ask("POST", "/grants", body), 409, "exists")
    other_key = shared.named(ANA, "Ana", "key_another")
    path = f"/grants/{made['grant_id']}/decision"
    problem(shared.ask("POST", path, {"approve": True, "reason": "x"}, other_key), 403, "four_eyes")
    assert shared.ask("POST", path, {"approve": True, "reason": "x"}, shared.release).status_code == 200
    dan = shared.named("psn_dddddddddddddddd", "Dan")
    assert shared.ask("GET", "/me", key=dan).json()["roles"] == ["mlro_release"]
    grants = shared.ask("GET", "/grants").json()["items"]
    for grant in (g for g in grants if g["role"] == "mlro" and g["state"] == "active"):
        problem(shared.ask("POST", f"/grants/{grant['grant_id']}/revocation", {"reason": "x"}), 409, "exists")
    assert (
        shared.ask("POST", f"/grants/{made['grant_id']}/revocation", {"reason": "left"}).json()["state"]
        == "revoked"
    )
    problem(shared.ask("GET", "/me", key=dan), 404, "not_found")


@pytest.mark.parametrize(
    "change",
    [
        {"role": "mlro", "reports": ["rep_a"]}, {"reports": None}, {"until": None}, {"days": 91}, {"days": 0},
        {"person_id": "psn_zzzzzzzzzzzzzzzz"},
    ],
)  # fmt: skip
def test_grants_that_are_none_are_refused(shared: VaultDesk, change: dict[str, Any]) -> None:
    shared.named("psn_cccccccccccccccc", "Eva Examiner")
    now = shared.api.service.doors.clock.now_us()
    days = change.pop("days", 5)
    body = {
        "person_id": "psn_cccccccccccccccc", "role": "examiner", "reason": WHY, "reports": ["rep_a"],
        "from": rfc3339(now), "until": rfc3339(now + days * DAY_US),
    }  # fmt: skip
    problem(shared.ask("POST", "/grants", body | change), 422, "input")


def test_without_a_vault_nobody_is_let_in(tmp_path: Any) -> None:
    from apikit import opened

    with opened(tmp_path) as api:
        unknown = seen(api.get("/v1/nowhere"))
        assert seen(api.get("/v1/vault/me", api.person(*ROLES))) == unknown
