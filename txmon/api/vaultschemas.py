"""JSON Schemas of the answers of the vault, for the contract.

Owns schemas, as `txmon.api.schemas` does for the rest; a test holds the running service to them.
"""

from __future__ import annotations

from txmon.api.schemas import FLAG, TEXT, TIME, WHOLE, Schema, many, maybe, one_of, paged, ref, thing
from txmon.api.vaulttable import PREFIX, VAULT
from txmon.vault.states import STATES

_ONE = f"{PREFIX}/reports/{{report_id}}"
_STATE = one_of(*STATES)
_FINDING = thing(
    code=TEXT, path=TEXT, message=TEXT, remedy=TEXT, line=WHOLE, level=one_of("error", "warning")
)
_CLOCK: dict[str, Schema] = {
    "clock": one_of("file", "review", "continue"), "state": one_of("open", "running", "due", "overdue"),
    "since": TIME, "due": maybe(TIME), "age_days": WHOLE, "left_days": maybe(WHOLE),
}  # fmt: skip
_NO_FILE = thing(
    state=one_of("proposed", "decided", "refused"), reason=TEXT, proposed_by=TEXT, proposed=TIME,
    decided_by=maybe(TEXT), decided=maybe(TIME), decision=maybe(TEXT),
)  # fmt: skip
_ANSWERED = thing(
    format=TEXT, accepted=FLAG, authority_id=TEXT, at=TIME, by=TEXT, errors=many(ref("ReportFinding"))
)
_FILE: dict[str, Schema] = {"format": TEXT, "filename": TEXT, "sha256": TEXT, "size": WHOLE}
_HEAD: dict[str, Schema] = {
    "report_id": TEXT, "version": WHOLE, "state": _STATE, "case_id": TEXT, "mode": TEXT, "entity": TEXT,
    "kind": TEXT, "jurisdiction": TEXT, "mark": TEXT, "formats": many(TEXT), "created": TIME, "changed": TIME,
    "drafted_by": TEXT, "editors": many(TEXT), "signed_by": maybe(TEXT), "signed": maybe(TIME),
    "submitted_by": maybe(TEXT), "submitted": maybe(TIME), "released_by": maybe(TEXT),
    "released": maybe(TIME),
    "returned": maybe(thing(by=TEXT, at=TIME, reason=TEXT)), "no_file": maybe(_NO_FILE),
    "prior": maybe(thing(report_id=TEXT, authority_id=maybe(TEXT), kind=TEXT)), "next": many(TEXT),
    "authority_id": maybe(TEXT), "acknowledgements": many(_ANSWERED), "sent": many({"type": "object"}),
    "files": many(thing(**_FILE)), "clocks": many(thing(**_CLOCK)), "actions": many(TEXT),
}  # fmt: skip
_MODEL = thing(version=WHOLE, report={"type": "object"})
_DONE: Schema = thing(report_id=TEXT, version=WHOLE, state=_STATE)
_GRANT_DONE: Schema = thing(grant_id=TEXT, state=TEXT)
_GRANT = thing(
    grant_id=TEXT, person_id=TEXT, role=TEXT, state=one_of("proposed", "active", "refused", "revoked"),
    reason=TEXT, proposed_by=TEXT, proposed=TIME, decided_by=maybe(TEXT), decided=maybe(TIME),
    until=maybe(TIME), reports=maybe(many(TEXT)), **{"from": maybe(TIME)},
)  # fmt: skip
_ROW = thing(
    seq=WHOLE, at=TIME, by=TEXT, key_id=maybe(TEXT), action=TEXT, report_id=maybe(TEXT), reason=maybe(TEXT),
    purpose=maybe(TEXT), facts={"type": "object"},
)  # fmt: skip
_COPY = thing(copy_id=TEXT, kind=TEXT, name=TEXT, sha256=TEXT, size=WHOLE, kept=TIME, keep_until=TIME)
_REMINDER = thing(**_CLOCK, report_id=TEXT, case_id=TEXT, report_state=_STATE)
_CHANGES = (
    "signature", "submission", "withdrawal", "return", "release", "no-file", "no-file/decision",
    "no-file/withdrawal", "sending", "acknowledgement", "review",
)  # fmt: skip

VAULT_SCHEMAS: dict[str, Schema] = {
    "Report": thing(**_HEAD, model=_MODEL),
    "ReportHead": thing(**_HEAD),
    "ReportFinding": _FINDING,
    "VaultGranted": _GRANT,
}
VAULT_ANSWERS: dict[str, dict[int, Schema]] = {
    f"GET {PREFIX}/me": {
        200: thing(person_id=TEXT, roles=many(TEXT), reports=maybe(many(TEXT)), until=maybe(TIME))
    },
    f"GET {PREFIX}/reports": {200: paged(ref("ReportHead"))},
    f"POST {PREFIX}/reports": {201: _DONE},
    f"GET {_ONE}": {200: ref("Report")},
    f"PUT {_ONE}": {200: _DONE},
    f"POST {_ONE}/check": {
        200: thing(
            ready=FLAG, formats=many(thing(format=TEXT, ready=FLAG, findings=many(ref("ReportFinding"))))
        )
    },
    **{f"POST {_ONE}/{name}": {200: _DONE} for name in _CHANGES},
    f"POST {_ONE}/correction": {200: _DONE, 201: _DONE},
    f"POST {_ONE}/continuation": {201: _DONE},
    f"GET {_ONE}/files/{{format}}": {200: thing(**_FILE, content=TEXT)},
    f"GET {_ONE}/comments": {200: paged(thing(comment_id=TEXT, author=TEXT, at=TIME, text=TEXT))},
    f"POST {_ONE}/comments": {201: thing(comment_id=TEXT)},
    f"GET {_ONE}/kept": {200: paged(_COPY)},
    f"GET {PREFIX}/reminders": {200: paged(_REMINDER)},
    f"GET {PREFIX}/log": {200: paged(_ROW)},
    f"GET {PREFIX}/grants": {200: paged(ref("VaultGranted"))},
    f"POST {PREFIX}/grants": {201: _GRANT_DONE},
    f"POST {PREFIX}/grants/{{grant_id}}/decision": {200: _GRANT_DONE},
    f"POST {PREFIX}/grants/{{grant_id}}/revocation": {200: _GRANT_DONE},
}  # fmt: skip
# a purpose is named to look, and may be for everything else; only `me` shows nothing
VAULT_PERSONAL = tuple(name for name, _, _ in VAULT if name != f"GET {PREFIX}/me")
VAULT_TAGGED = tuple(name for name, _, _ in VAULT if name.startswith("GET"))
