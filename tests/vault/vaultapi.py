"""The API over a service with a vault: Ana drafts, Ben releases, a case to report on, and the others at their desks."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from apikit import CRITICAL, THREE, Api, on_bench
from caseskit import PROTECTED, Desk
from servicekit import Bench, Clock, simple_rules
from vaultkit import WHY, drafted

from txmon.store.identity import SCOPES, Principal
from txmon.store.schema import people
from txmon.vault import Vault
from txmon.vault.sources import Drafter

ANA, BEN = "psn_aaaaaaaaaaaaaaaa", "psn_bbbbbbbbbbbbbbbb"


class VaultDesk(Desk):
    """See the module. `api` is a service's; keys of Ana and Ben are `mlro` and `release`."""

    def __init__(self, api: Api) -> None:
        super().__init__(api)
        self.mlro, self.release = self.named(ANA, "Ana Officer"), self.named(BEN, "Ben Releaser")

    def named(self, person: str, name: str, key_id: str | None = None, **more: Any) -> str:
        """A key of a person of this id, whom the store knows."""
        with self.api.service.store.read() as conn:
            there = conn.execute(sa.select(people.c.id).where(people.c.id == person)).first()
        if there is None:
            row = {
                "id": person,
                "name": name,
                "roles": "[]",
                "state": "active",
                "created_us": 0,
                "created_by": "test",
            }
            self.change(lambda tx: tx.conn.execute(sa.insert(people).values(row)) and None)
        who = Principal(
            key_id or f"key_{person[4:]}", person, name, "person", frozenset(more.get("roles", ())), more.get("scopes", SCOPES),
            more.get("mode"), more.get("entities"), f"person:{person}",
        )  # fmt: skip
        token = f"token-{who.key_id}"
        self.api.access.known[token] = who
        return token

    # -- asking the vault --------------------------------------------------------------------------------

    def ask(self, method: str, path: str, body: Any = None, key: str | None = None, **more: Any) -> Any:
        headers = {"x-purpose": WHY} | more.pop("headers", {})
        if "version" in more:
            headers["if-match"] = f'"v{more.pop("version")}"'
        extra = {} if body is None else {"json": body}
        return self.api.call(method, f"/v1/vault{path}", key or self.mlro, headers=headers, **extra, **more)

    def look(self, report_id: str, key: str | None = None) -> dict[str, Any]:
        answer = self.ask("GET", f"/reports/{report_id}", key=key)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    def do(self, report_id: str, what: str, body: Any = None, key: str | None = None, **more: Any) -> Any:  # type: ignore[override]
        """Post to a report in its present version unless one is named."""
        version = more.pop("version", None) or self.look(report_id)["version"]
        return self.ask("POST", f"/reports/{report_id}/{what}", body or {}, key, version=version, **more)

    def do_case(self, case_id: str, what: str, body: Any) -> Any:
        """Post to a part of a case."""
        return super().do(case_id, what, body)

    def did(self, report_id: str, what: str, body: Any = None, key: str | None = None) -> dict[str, Any]:
        answer = self.do(report_id, what, body, key)
        assert answer.status_code in (200, 201), answer.text
        return dict(answer.json())

    def new_report(self, case_id: str | None = None, formats: tuple[str, ...] = ("goaml",)) -> str:
        case_id = case_id or self.open(self.alert())
        answer = self.ask("POST", "/reports", {"case_id": case_id, "formats": list(formats)})
        assert answer.status_code == 201, answer.text
        return str(answer.json()["report_id"])

    def submitted(self, **more: Any) -> str:
        report_id = self.new_report(**more)
        self.did(report_id, "signature")
        self.did(report_id, "submission")
        return report_id

    def released(self, **more: Any) -> str:
        report_id = self.submitted(**more)
        self.did(report_id, "release", key=self.release)
        return report_id


@contextmanager
def vault_desk(folder: Path, drafter: Drafter = drafted, **settings: Any) -> Iterator[VaultDesk]:
    """A desk over a service of a folder's own, with a vault."""
    bench = Bench(folder, simple_rules(folder, THREE, CRITICAL, PROTECTED), str(folder / "store"))
    with opened(folder, bench, drafter, **settings) as desk:
        yield desk


@contextmanager
def opened(folder: Path, bench: Bench, drafter: Drafter = drafted, **settings: Any) -> Iterator[VaultDesk]:
    """A desk over a bench."""
    file, key = folder / "vault" / "vault.db", folder / "vault.key"
    chance = random.Random(9).randbytes
    if not file.exists():
        Vault.make(file, key, folder / "backup.key", (ANA, BEN), clock=Clock(), random_bytes=chance).close()
    parts = {"drafter": drafter, "vault_chance": chance} | settings.pop("parts", {})
    with on_bench(bench, vault_file=file, vault_key_file=key, parts=parts, **settings) as api:
        yield VaultDesk(api)


def text(value: Any) -> str:
    return json.dumps(value)
