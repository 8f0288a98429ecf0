"""The demo's reports on their way through the vault: drafted, signed, submitted by one, released by another.

Ana (mlro) does the first three, her own release is refused, Ben (mlro_release) releases. Every step is a
call of the HTTP API. What is released is written out as files; since all of it is simulated, no transport
would take them. Owns these steps and the names of the files.
"""

from __future__ import annotations

from base64 import b64decode
from pathlib import Path
from typing import Any

import httpx

from txmon.demo.desk import ANA, BEN, Desk, ok, person
from txmon.errors import ConfigError, StateError

# format -> file
REPORTS = {"goaml": "goaml.xml", "fincen": "fincen.xml", "fintrac": "fintrac.json"}
_PURPOSE = "the report on the case of this demo"


def file_reports(desk: Desk, case_id: str, out: Path) -> list[str]:
    """Draft, sign, submit and release a report in each format, and write the files; returns what is told.

    Raises:
        StateError: the service answered otherwise than it must. ConfigError: a file cannot be written.
    """
    refused = ""
    with person(desk, ANA, _PURPOSE) as ana, person(desk, BEN, _PURPOSE) as ben:
        for form, name in REPORTS.items():
            asked = {"case_id": case_id, "formats": [form]}
            made = ok(ana.post("/v1/vault/reports", json=asked), 201)
            path = f"/v1/vault/reports/{made['report_id']}"
            made = _step(ana, path, "signature", made, {})
            made = _step(ana, path, "submission", made, {})
            own = _post(ana, path, "release", made, {})
            if own.is_success:
                raise StateError("the vault let the author release her own report")
            refused = own.json()["code"]
            _step(ben, path, "release", made, {"reason": "read against the case"})
            found = ok(ana.get(f"{path}/files/{form}"), 200)
            _write(out / name, b64decode(found["content"]))
    return [
        f"{ANA} (mlro) drafted, signed and submitted {len(REPORTS)} reports; her own release was refused "
        f"({refused}), {BEN} (mlro_release) released them"
    ]


def _step(http: httpx.Client, path: str, what: str, made: Any, body: dict[str, Any]) -> Any:
    return ok(_post(http, path, what, made, body), 200)


def _post(http: httpx.Client, path: str, what: str, made: Any, body: dict[str, Any]) -> httpx.Response:
    """Do a step in the version that the step before made."""
    version = made["version"]
    return http.post(f"{path}/{what}", json=body, headers={"If-Match": f'"v{version}"'})


def _write(path: Path, data: bytes) -> None:
    try:
        path.write_bytes(data)
    except OSError as error:
        raise ConfigError(f"cannot write {path}: {error.strerror}; choose another --out") from error
