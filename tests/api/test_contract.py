"""The contract says what is served, the examples work, and drawn requests find no hole."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import requests
import schemathesis
from apikit import Api, hook_key, opened
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from reportkit import report as whole_report
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi import checks

from txmon.api import document
from txmon.api.problems import CODES
from txmon.api.table import TABLE
from txmon.errors import TxmonError
from txmon.evidence.signing import make_key
from txmon.model.schema import FIELDS
from txmon.reports.model import Report
from txmon.store.identity import ROLES
from txmon.vault import Vault

FOLDER = Path(__file__).parents[2] / "api"


def test_the_committed_contract_is_the_served_one(shared_api: Api) -> None:
    made = json.loads(json.dumps(document()))
    assert shared_api.get("/openapi.json").json() == made
    committed = json.loads((FOLDER / "openapi.json").read_text(encoding="utf-8"))
    assert committed == made, (
        "the contract has changed: run `python -m txmon.api` and commit api/openapi.json"
    )


def test_the_contract_names_every_route_and_event_field() -> None:
    made = document()
    named = {f"{method.upper()} {path}" for path, methods in made["paths"].items() for method in methods}
    assert named == {entry.name for entry in TABLE}
    event = made["components"]["schemas"]["Event"]["properties"]
    made_here = {
        "ingest_seq",
        "amount_base_minor",
        "base_currency",
        "rate_date",
        "unconverted",
        "auth_is_final",
    }
    assert event.keys() == ({f.name for f in FIELDS} - made_here) | {"amount"}
    for path, methods in made["paths"].items():
        for operation in methods.values():
            assert all(
                200 <= int(status) < 400 or "$ref" in response or path == "/readyz"
                for status, response in operation["responses"].items()
            ), path


def test_every_error_of_ours_has_a_code_in_the_contract() -> None:
    made = document()["x-problem-codes"]
    assert made.keys() == CODES.keys()

    def kinds(kind: type[TxmonError]) -> Iterator[type[TxmonError]]:
        yield kind
        for each in kind.__subclasses__():
            yield from kinds(each)

    unseen = {
        "txmon",
        "config",
        "feed",
        "rule",
        "writer_active",
        "warehouse_damaged",
        "log_field",
    }  # never of a request
    for kind in kinds(TxmonError):
        if kind.__module__ == "txmon.errors" and kind.code not in unseen:
            assert kind.code in CODES, kind


# -- examples --------------------------------------------------------------------------------------------


@dataclass
class Example:
    """A request of the examples."""

    title: str
    method: str
    url: str
    expect: int
    name: str | None = None
    headers: dict[str, str] = field(default_factory=dict)
    body: str | None = None


def examples() -> list[Example]:
    """The requests of api/examples.http, in order."""
    found = []
    _, *blocks = re.split(r"^###", (FOLDER / "examples.http").read_text(encoding="utf-8"), flags=re.MULTILINE)
    for block in blocks:
        title, _, rest = block.partition("\n")
        head, _, body = rest.partition("\n\n")
        lines = head.strip().splitlines()
        notes = [line for line in lines if line.startswith("#")]
        (expect,) = [int(note.split()[2]) for note in notes if note.startswith("# expect")]
        names = [note.split()[2] for note in notes if note.startswith("# @name")]
        request, *headers = [line for line in lines if not line.startswith("#")]
        method, url = request.split(" ", 1)
        given = dict(line.split(": ", 1) for line in headers)
        found.append(
            Example(
                title.strip(), method, url, expect, names[0] if names else None, given, body.strip() or None
            )
        )
    return found


def filled(text: str, known: dict[str, str], answers: dict[str, Any]) -> str:
    """A text with its variables."""

    def value(match: re.Match[str]) -> str:
        name = match[1]
        if name in known:
            return known[name]
        request, _, _, where = name.split(".", 3)
        answer = answers[request]
        if ".headers." in name:
            return str(answer.headers[where])
        found = answer.json()
        for part in re.findall(r"\w+", where.removeprefix("$.")):
            found = found[int(part) if part.isdigit() else part]
        return str(found)

    return re.sub(r"\{\{(.+?)\}\}", value, text)


def test_the_examples_work_in_their_order(tmp_path: Path) -> None:
    make_key(tmp_path / "evidence.key", lambda count: bytes(range(count)))
    vault = {"vault_file": tmp_path / "vault" / "vault.db", "vault_key_file": tmp_path / "vault.key"}
    keys = {"webhook_key_file": hook_key(tmp_path), "evidence_key": tmp_path / "evidence.key"}
    with opened(tmp_path, **keys, **vault) as first:
        ana, ben = first.service.change(
            lambda tx: first.access.bootstrap(tx, [("Ana", ["analyst"]), ("Ben", ["approver"])])
        ).result(60)
        people = [first.access.authenticate(key.token, 0).person_id or "" for key in (ana, ben)]
        doors = {"clock": first.service.doors.clock, "random_bytes": random.Random(2).randbytes}
        places = (vault["vault_file"], vault["vault_key_file"], tmp_path / "backup.key")
        Vault.make(*places, (people[0], people[1]), **doors).close()
        api = Api(first.service, drafter=_drafted)  # as the service is after its next start
        known = {"host": "http://txmon", "ana": ana.token, "ben": ben.token, "pipeline": api.worker("ingest")}
        answers: dict[str, Any] = {}
        found = examples()
        assert len(found) > 20
        for example in found:
            headers = {k: filled(v, known, answers) for k, v in example.headers.items()}
            body = None if example.body is None else filled(example.body, known, answers)
            answer = api.call(
                example.method, filled(example.url, known, answers), headers=headers, content=body
            )
            assert answer.status_code == example.expect, (example.title, answer.text)
            if example.name:
                answers[example.name] = answer
        api.close()


def _drafted(case_id: str, report_id: str, now_us: int, *_: Any) -> Report:
    return whole_report(report_id=report_id, case_id=case_id)


def test_the_readme_names_every_route_and_code() -> None:
    text = (FOLDER / "README.md").read_text(encoding="utf-8")
    for entry in TABLE:
        assert f"`{entry.name}`" in text, entry.name
    for code, (status, _) in CODES.items():
        assert re.search(rf"`{code}`[^\n]*\b{status}\b|\b{status}\b[^\n]*`{code}`", text), code


def test_the_examples_and_routes_are_of_one_contract() -> None:
    paths = document()["paths"]
    for example in examples():
        path = re.sub(r"\{\{.+?\}\}", "x", example.url.removeprefix("{{host}}").partition("?")[0])
        assert any(re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", known), path) for known in paths), example.title


@pytest.fixture(scope="module")
def drawn_api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    with opened(tmp_path_factory.mktemp("drawn"), auth_failures=1_000_000, request_items_max=50) as api:
        yield api


# -- drawn requests --------------------------------------------------------------------------------------

_DRAWN = 12  # requests of every route
_CHECKS = [
    not_a_server_error, checks.status_code_conformance, checks.content_type_conformance,
    checks.response_headers_conformance, checks.response_schema_conformance,
]  # fmt: skip


@schemathesis.serializer("application/x-ndjson", "application/vnd.apache.arrow.stream")
def _as_text(_context: Any, value: Any) -> bytes:
    """What is drawn for the bodies that are no JSON: any bytes."""
    return value if isinstance(value, bytes) else str(value).encode("utf-8", "replace")


_SCHEMA = schemathesis.openapi.from_dict(json.loads((FOLDER / "openapi.json").read_text(encoding="utf-8")))
_OPERATIONS = [found.ok() for found in _SCHEMA.get_all_operations()]


@pytest.mark.parametrize(
    "operation",
    [o for o in _OPERATIONS if o.path != "/v1/alerts/stream"],
    ids=lambda o: f"{o.method.upper()} {o.path}",
)
def test_drawn_requests_get_answers_of_the_contract(drawn_api: Api, operation: Any) -> None:
    key = drawn_api.person(*ROLES)

    @settings(max_examples=_DRAWN, deadline=None, derandomize=True, database=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck))  # fmt: skip
    @given(
        case=st.one_of(*(operation.as_strategy(generation_mode=mode) for mode in schemathesis.GenerationMode))
    )
    def run(case: Any) -> None:
        sent = case.as_transport_kwargs(base_url="http://txmon")
        request = requests.Request(
            **{
                k: v
                for k, v in sent.items()
                if k in ("method", "url", "headers", "params", "data", "json", "files", "cookies")
            }
        )
        try:
            prepared = request.prepare()
        except ValueError:  # a header that no client would send
            return
        headers = {
            k: v.encode("latin-1", "replace") if isinstance(v, str) else v
            for k, v in prepared.headers.items()
            if k.lower() not in ("authorization", "content-length")
        }
        body = prepared.body.encode() if isinstance(prepared.body, str) else prepared.body
        answer = drawn_api.call(
            str(prepared.method),
            str(prepared.url).replace("http://txmon", ""),
            key,
            headers=headers,
            content=body,
        )
        if answer.status_code not in (404, 405):  # a drawn path may be that of another route, or of none
            answer.request._content = body or b""
            case.validate_response(answer, checks=_CHECKS)
        assert answer.status_code != 500, answer.text

    run()
