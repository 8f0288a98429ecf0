"""Helpers of the tests of case work: people at their desks, alerts, and cases made of them."""

from __future__ import annotations

import itertools
import json
from typing import Any

import sqlalchemy as sa
from apikit import Api, pay

from txmon.store import journal
from txmon.store.schema import people

_numbers = itertools.count(1)
WHY = "looking into it"
PROTECTED: dict[str, Any] = {
    "id": "maybe-victim", "subject": "payer", "score": 0.8, "severity": "high", "protect": True, "typology": "labour-exploitation",
    "let": {"n": "count(*) filter (where amount between 400 and 500) over payer_3d"}, "when": "n >= 1", "explain": "{n} fees to {payee}",
}  # fmt: skip


class Desk:
    """An API, and the people who work with it: an analyst, an approver, safeguarding, an auditor."""

    def __init__(self, api: Api) -> None:
        self.api = api
        self.ana = self.person("analyst")
        self.ben = self.person("approver")
        self.sara = self.person("safeguarding")
        self.audit = self.person("auditor")

    def person(self, *roles: str, **more: Any) -> str:
        """A person whom the store knows, too."""
        key = self.api.person(*roles, **more)
        who = self.api.access.known[key]
        row = {"id": who.person_id, "name": who.person_id, "roles": json.dumps(roles), "state": "active"}
        row |= {"created_us": 0, "created_by": "test"}
        self.change(lambda tx: tx.conn.execute(sa.insert(people).values(row)) and None)
        return key

    def id_of(self, key: str) -> str:
        return str(self.api.access.known[key].person_id)

    def change(self, make: Any) -> Any:
        return self.api.service.change(make).result(60)

    # -- alerts ------------------------------------------------------------------------------------------

    def alert(self, amount: str = "950.00", **columns: Any) -> dict[str, Any]:
        """A new alert: critical from 900 on, one of a possible victim between 400 and 500."""
        number = next(_numbers)
        self.api.service.doors.clock.time_us += 1_000_000  # type: ignore[attr-defined]
        columns = {"payer": f"acct-{number}", "payee": f"shop-{number}"} | columns
        self.api.send(pay(f"c-{number}", number % 50, amount=amount, **columns))
        found = self.get("/v1/alerts?limit=200", purpose=WHY)["items"]
        (made,) = [each for each in found if each["subject_id"] == columns["payer"]]
        return dict(made)

    def state_of(self, alert: dict[str, Any]) -> str:
        return str(self.get(f"/v1/alerts/{alert['alert_id']}", self.sara)["state"])

    # -- cases -------------------------------------------------------------------------------------------

    def get(self, path: str, key: str | None = None, **more: Any) -> dict[str, Any]:
        answer = self.api.get(path, key or self.ana, **more)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    def open(self, *alerts: dict[str, Any], key: str | None = None, **more: Any) -> str:
        answer = self.ask_open(*alerts, key=key, **more)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["case_id"])

    def ask_open(self, *alerts: dict[str, Any], key: str | None = None, **more: Any) -> Any:
        body = {"alerts": seen(*alerts), "title": "Rents in one street", "reason": WHY} | more
        return self.api.post("/v1/cases", key or self.ana, json=body)

    def case(self, case_id: str, key: str | None = None) -> dict[str, Any]:
        return self.get(f"/v1/cases/{case_id}", key, purpose=WHY)

    def do(self, case_id: str, what: str, body: dict[str, Any], key: str | None = None, **more: Any) -> Any:
        """Post to a part of a case, in its present version unless one is named."""
        return self._send("POST", f"/v1/cases/{case_id}/{what}", case_id, body, key, **more)

    def patch(self, case_id: str, key: str | None = None, reason: str = WHY, **values: Any) -> Any:
        """Change a case."""
        more = {"version": values.pop("version")} if "version" in values else {}
        return self._send("PATCH", f"/v1/cases/{case_id}", case_id, values | {"reason": reason}, key, **more)

    def patch_party(self, case_id: str, party_id: str, key: str | None = None, **values: Any) -> Any:
        path = f"/v1/cases/{case_id}/parties/{party_id}"
        return self._send("PATCH", path, case_id, {"reason": WHY} | values, key)

    def version(self, case_id: str) -> int:
        with self.api.service.store.read() as conn:
            query = sa.text("select version from cases where case_id = :id")
            return int(conn.execute(query, {"id": case_id}).scalar() or 0)

    def _send(
        self, method: str, path: str, case_id: str, body: Any, key: str | None, version: int | None = None
    ) -> Any:
        tag = f'"v{self.version(case_id) if version is None else version}"'
        return self.api.call(method, path, key or self.ana, json=body, headers={"if-match": tag})

    def decide(self, asked: Any, key: str, approve: bool = True) -> Any:
        """Decide on what an answer says is proposed."""
        assert asked.status_code == 202, asked.text
        path = f"/v1/proposals/{asked.json()['proposal_id']}/decision"
        return self.api.post(path, key, json={"approve": approve, "reason": "seen"})

    def decisions(self) -> list[dict[str, Any]]:
        """Every decision in the journal, in order."""
        store = self.api.service.store
        return [json.loads(row.document) for row in journal.read(store, kinds=["decision"])]

    def victim(self, case_id: str, key: str | None = None) -> dict[str, Any]:
        """A party of a case that may be a victim."""
        return next(
            each
            for each in self.case(case_id, key or self.sara)["parties"]
            if each["role"] == "possible_victim"
        )


def seen(*alerts: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"alert_id": each["alert_id"], "version": each["version"]} for each in alerts]


def ok(answer: Any) -> dict[str, Any]:
    assert answer.status_code in (200, 201), answer.text
    return dict(answer.json())
