"""The routes of the vault of reports and the roles, granted in the vault alone, that each takes.

To whoever has none of them these paths answer as unknown ones do. Owns data, as `txmon.api.table` does for
the rest; what may be done with a report in its state is `txmon.vault.states`.
"""

from __future__ import annotations

from txmon.vault.states import EXAMINER, MLRO, RELEASE

PREFIX = "/v1/vault"
_MLRO, _RELEASE, _BOTH, _ANY = (MLRO,), (RELEASE,), (MLRO, RELEASE), (MLRO, RELEASE, EXAMINER)
_ONE = f"{PREFIX}/reports/{{report_id}}"

VAULT: tuple[tuple[str, tuple[str, ...], str], ...] = (
    (f"GET {PREFIX}/me", _ANY, "What one may do in the vault"),
    (f"GET {PREFIX}/reports", _ANY, "List reports"),
    (f"POST {PREFIX}/reports", _MLRO, "Draft a report from a case"),
    (f"GET {_ONE}", _ANY, "A report"),
    (f"PUT {_ONE}", _MLRO, "Put another text of a draft in place"),
    (f"POST {_ONE}/check", _BOTH, "What a report lacks in each of its formats"),
    (f"POST {_ONE}/signature", _MLRO, "Sign a draft"),
    (f"POST {_ONE}/submission", _MLRO, "Hand a draft over for release"),
    (f"POST {_ONE}/withdrawal", _MLRO, "Take back what was handed over"),
    (f"POST {_ONE}/return", _RELEASE, "Give back what was handed over"),
    (f"POST {_ONE}/release", _RELEASE, "Release a report"),
    (f"POST {_ONE}/no-file", _MLRO, "Propose that no report is made"),
    (f"POST {_ONE}/no-file/decision", _RELEASE, "Decide whether no report is made"),
    (f"POST {_ONE}/no-file/withdrawal", _MLRO, "Take that proposal back"),
    (f"POST {_ONE}/sending", _RELEASE, "Hand a released report to its authority"),
    (f"POST {_ONE}/acknowledgement", _MLRO, "Note what the authority answered"),
    (f"POST {_ONE}/correction", _MLRO, "Draft a correction"),
    (f"POST {_ONE}/continuation", _MLRO, "Draft a report on what goes on"),
    (f"POST {_ONE}/review", _MLRO, "Note that what was reported does not go on"),
    (f"GET {_ONE}/files/{{format}}", _ANY, "What was released in a format"),
    (f"GET {_ONE}/comments", _ANY, "List comments"),
    (f"POST {_ONE}/comments", _BOTH, "Add a comment"),
    (f"GET {_ONE}/kept", _ANY, "List the copies that are kept"),
    (f"GET {PREFIX}/reminders", _BOTH, "What is due, the most urgent first"),
    (f"GET {PREFIX}/log", _MLRO, "What was done in the vault"),
    (f"GET {PREFIX}/grants", _MLRO, "List who is let in"),
    (f"POST {PREFIX}/grants", _MLRO, "Propose to let somebody in"),
    (f"POST {PREFIX}/grants/{{grant_id}}/decision", _MLRO, "Decide whether somebody is let in"),
    (f"POST {PREFIX}/grants/{{grant_id}}/revocation", _MLRO, "Let somebody in no longer"),
)


def is_vault(path: str) -> bool:
    """Whether a path is one of the vault's, known or not."""
    return path == PREFIX or path.startswith(PREFIX + "/")
