"""The vault's answers are what the contract says, and drawn requests of people who are let in find no hole."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi import checks
from vaultapi import BEN, VaultDesk

from txmon.api import document
from txmon.api.vaulttable import PREFIX, VAULT

_FILE = Path(__file__).parents[2] / "api" / "openapi.json"
_SCHEMA = schemathesis.openapi.from_dict(json.loads(_FILE.read_text(encoding="utf-8")))
_OPERATIONS = [o for o in (found.ok() for found in _SCHEMA.get_all_operations()) if o.path.startswith(PREFIX)]
_CHECKS = [
    not_a_server_error, checks.status_code_conformance, checks.content_type_conformance, checks.response_schema_conformance,
]  # fmt: skip


def test_every_route_of_the_vault_is_in_the_contract_with_its_answers() -> None:
    paths = document()["paths"]
    for name, roles, _ in VAULT:
        method, _, path = name.partition(" ")
        operation = paths[path][method.lower()]
        assert any(status.startswith("2") for status in operation["responses"]), name
        assert all(f"`{role}`" in operation["description"] for role in roles), name
    assert len(_OPERATIONS) == len(VAULT)


def test_answers_are_of_their_schemas(shared: VaultDesk) -> None:
    made = document()
    report_id = shared.released(formats=("goaml", "html"))
    shared.ask("POST", f"/reports/{report_id}/comments", {"text": "x"})
    wrong = {
        "format": "goaml",
        "accepted": False,
        "authority_id": "",
        "errors": [{"path": "a", "message": "b"}],
    }
    shared.did(report_id, "acknowledgement", wrong)
    shared.did(report_id, "correction", {"reason": "x"})
    shared.did(report_id, "no-file", {"reason": "x"})
    shared.ask("POST", "/grants", {"person_id": BEN, "role": "examiner", "reason": "x", "reports": [report_id], "from": "2030-01-01T00:00:00Z", "until": "2030-03-20T00:00:00Z"})  # fmt: skip
    seen = 0
    for name, _, _ in VAULT:
        method, _, path = name.partition(" ")
        if method != "GET":
            continue
        asked = path.removeprefix(PREFIX).replace("{report_id}", report_id).replace("{format}", "goaml")
        answer = shared.ask("GET", asked)
        assert answer.status_code == 200, (name, answer.text)
        schema = made["paths"][path]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
        closed = shut({"components": made["components"]} | schema)
        faults = [e.message for e in Draft202012Validator(closed).iter_errors(answer.json())]
        assert faults == [], name
        seen += 1
    assert seen == 9


def shut(schema: Any) -> Any:
    """A schema that takes no member which is not named, where it names any."""
    if isinstance(schema, dict):
        found = {key: shut(value) for key, value in schema.items()}
        if isinstance(found.get("properties"), dict) and found.get("type") == "object":
            found["additionalProperties"] = False
        return found
    return [shut(each) for each in schema] if isinstance(schema, list) else schema


@pytest.mark.parametrize("operation", _OPERATIONS, ids=lambda o: f"{o.method.upper()} {o.path}")
def test_drawn_requests_get_answers_of_the_contract(shared: VaultDesk, operation: Any) -> None:
    report_id = shared.new_report()

    @settings(max_examples=15, deadline=None, derandomize=True, database=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck))  # fmt: skip
    @given(
        st.one_of(*(operation.as_strategy(generation_mode=mode) for mode in schemathesis.GenerationMode)),
        st.booleans(), st.sampled_from(["mlro", "release"]),
    )  # fmt: skip
    def run(case: Any, real: bool, who: str) -> None:
        if real and "report_id" in (case.path_parameters or {}):
            case.path_parameters["report_id"] = report_id
        sent = case.as_transport_kwargs(base_url="http://txmon")
        known = ("method", "url", "headers", "params", "data", "json", "files", "cookies")
        request = requests.Request(**{k: v for k, v in sent.items() if k in known})
        try:
            prepared = request.prepare()
        except ValueError:  # a header that no client would send
            return
        left_out = ("authorization", "content-length")
        headers = {
            k: v.encode("latin-1", "replace") if isinstance(v, str) else v
            for k, v in prepared.headers.items()
            if k.lower() not in left_out
        }
        if real:
            headers["if-match"] = f'"v{shared.look(report_id)["version"]}"'
        body = prepared.body.encode() if isinstance(prepared.body, str) else prepared.body
        path = str(prepared.url).replace("http://txmon", "")
        answer = shared.api.call(
            str(prepared.method), path, getattr(shared, who), headers=headers, content=body
        )
        if answer.status_code not in (404, 405):  # a drawn path may be that of another route, or of none
            answer.request._content = body or b""
            case.validate_response(answer, checks=_CHECKS)
        assert answer.status_code != 500, answer.text

    run()
