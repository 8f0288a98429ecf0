"""FINTRAC's suspicious transaction report as a format: what the model lacks, the JSON, what is wrong in JSON.

What the model lacks is found by writing it and judging the JSON; each finding is then told at the model's
field.
"""

from __future__ import annotations

from dataclasses import replace

from txmon.reports.fincen import day_of, names_of, protected
from txmon.reports.fintrac_rules import findings_of
from txmon.reports.fintrac_write import write
from txmon.reports.formats import Finding, Format, Options
from txmon.reports.model import Report


def check(report: Report, _: Options) -> list[Finding]:
    """Return what the model lacks for FINTRAC, each at its field."""
    written = write(report)
    found = findings_of(written.json, protected=tuple(protected(report)))
    return [
        replace(f, path=where, message=f"{f.message} (FINTRAC: {f.path})")
        if (where := written.field(f.path))
        else f
        for f in found
    ]


def to_json(report: Report, _: Options) -> bytes:
    """Return the report."""
    return write(report).json


def validate(text: bytes, options: Options) -> list[Finding]:
    """Return what is wrong in a report's text.

    `options.extra["possible_victims"]` names people who must not take part by name, one a line; `["today"]`
    is the day of checking, YYYY-MM-DD.
    """
    return findings_of(text, today=day_of(options), protected=names_of(options))


FORMAT = Format(
    name="fintrac",
    title="FINTRAC suspicious transaction report (JSON)",
    suffix=".json",
    check=check,
    write=to_json,
    validate=validate,
)
