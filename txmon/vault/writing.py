"""Reports in their formats: what is wrong in each, and the bytes that are released.

A format is named as the report chose it, ``goaml`` or ``goaml:lk`` for one with a profile. Owns the joining
of `txmon.reports` and the vault; judges nothing itself.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from txmon.errors import InputError
from txmon.reports import checks, formats
from txmon.reports.formats import Finding, Format, Options
from txmon.reports.model import Report
from txmon.vault.jurisdictions import Jurisdiction


@dataclass(frozen=True)
class Written:
    """A report in a format, byte for byte as it is released."""

    format: str
    filename: str
    content: bytes

    @property
    def sha256(self) -> str:
        """Digest of the content, hexadecimal."""
        return sha256(self.content).hexdigest()


class NotReleasable(InputError):
    """A report has errors; `findings` has those of each format by name."""

    code = "report_incomplete"
    status = 422

    def __init__(self, findings: Mapping[str, Sequence[Finding]]) -> None:
        self.findings = dict(findings)
        self.more = {"findings": {name: [shown(f) for f in found] for name, found in findings.items()}}
        count = sum(map(len, self.findings.values()))
        super().__init__(f"the report has {count} errors; mend the fields that `findings` names")


def chosen(names: Collection[str]) -> tuple[str, ...]:
    """Return the formats that are named, each once.

    Raises:
        InputError: none, or one that is none.
    """
    if not names:
        raise InputError(f"name a format at least; of {', '.join(formats.names())}")
    for name in names:
        if name.partition(":")[0] not in formats.names():
            raise InputError(f"there is no such format; name some of {', '.join(formats.names())}")
    return tuple(dict.fromkeys(names))


def check(report: Report, name: str, place: Jurisdiction) -> list[Finding]:
    """Return what is missing or contradictory for one format, warnings included."""
    form, options = _form(name, place)
    return checks.check_for(report, form, options)


def write(report: Report, names: Collection[str], place: Jurisdiction) -> list[Written]:
    """Return a report in its formats, each checked, written and validated.

    Raises:
        NotReleasable: an error in any of them.
    """
    wrong: dict[str, Sequence[Finding]] = {}
    made: list[Written] = []
    for name in names:
        form, options = _form(name, place)
        try:
            content = checks.write(report, form, options)
        except checks.ReportIncomplete as error:
            wrong[name] = error.findings
        else:
            mark = f"{report.mark}-" if report.mark else ""
            filename = f"{mark}{report.report_id}-{name.replace(':', '-')}{form.suffix}"
            made.append(Written(name, filename, content))
    if wrong:
        raise NotReleasable(wrong)
    return made


def shown(finding: Finding) -> dict[str, Any]:
    """Return a finding as plain values."""
    names = ("code", "path", "message", "remedy", "line")
    return {name: getattr(finding, name) for name in names} | {"level": finding.level.value}


def _form(name: str, place: Jurisdiction) -> tuple[Format, Options]:
    format_name, _, profile = name.partition(":")
    profile = profile or place.profiles.get(format_name, "")
    return formats.get(format_name), Options(schema=place.schemas.get(format_name), profile=profile)
