"""What a check is, what it finds, and how a row of checks is run.

A check looks at one thing and changes nothing. Whatever keeps it from looking is a finding of its own, so
that one broken part never hides the others. Owns these forms; looks at nothing itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from txmon.clock import monotonic_s
from txmon.doctor.ground import Ground
from txmon.errors import TxmonError

OK, WARN, FAIL, SKIPPED = "ok", "warn", "fail", "skipped"
_ORDER = (SKIPPED, OK, WARN, FAIL)


@dataclass(frozen=True)
class Finding:
    """What a check found, and for `warn` and `fail` what to do. Both are texts without secrets."""

    status: str
    found: str
    remedy: str = ""


Look = Callable[[Ground], Iterable[Finding]]


@dataclass(frozen=True)
class Check:
    """One line of the table: what is asked, and who looks."""

    name: str  # area.thing
    asks: str
    look: Look
    needs_store: bool = False


@dataclass(frozen=True)
class Looked:
    """A check that was made."""

    check: Check
    findings: tuple[Finding, ...]
    seconds: float

    @property
    def status(self) -> str:
        """The worst of its findings."""
        return worst(finding.status for finding in self.findings)


def worst(states: Iterable[str]) -> str:
    """Return the worst status; `skipped` where there is none."""
    return max(states, key=_ORDER.index, default=SKIPPED)


def run(checks: Sequence[Check], ground: Ground) -> Iterator[Looked]:
    """Make the checks in their order."""
    for check in checks:
        started = monotonic_s()
        findings = _findings(check, ground)
        yield Looked(check, findings, round(monotonic_s() - started, 3))


def _findings(check: Check, ground: Ground) -> tuple[Finding, ...]:
    if check.needs_store and ground.store is None:
        return (Finding(SKIPPED, "there is no store that can be read; see store.opens"),)
    found: list[Finding] = []
    try:
        found += check.look(ground)
    except TxmonError as error:
        text, _, remedy = str(error).partition("; ")
        found.append(Finding(FAIL, text, remedy or "correct it; docs/operations.md"))
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        text = f"{where}{error.strerror or type(error).__name__}"
        found.append(Finding(FAIL, text, "the service's user must be able to, and should run this command"))
    return tuple(found) or (Finding(OK, "nothing to look at"),)


def facts(looked: Sequence[Looked]) -> dict[str, Any]:
    """Return a report as plain values."""
    states = [one.status for one in looked]
    return {
        "ok": FAIL not in states,
        "counts": {status: states.count(status) for status in (OK, WARN, FAIL, SKIPPED)},
        "checks": [
            {
                "check": one.check.name,
                "status": one.status,
                "seconds": one.seconds,
                "findings": [
                    {"status": f.status, "found": f.found, "remedy": f.remedy or None} for f in one.findings
                ],
            }
            for one in looked
        ],
    }
