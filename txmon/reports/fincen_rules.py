"""The business rules of FinCEN's SAR as one check of a batch's XML text; and the schema, where it is given.

The check needs no model and no schema file. A fault never holds the value that is wrong.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import date
from pathlib import Path
from typing import Any, cast

from lxml import etree

from txmon.errors import ConfigError
from txmon.reports.fincen_activityrules import check_activity
from txmon.reports.fincen_hygiene import check_hygiene
from txmon.reports.fincen_partyrules import check_parties
from txmon.reports.fincen_read import Fault, Faults, all_of, parse, text
from txmon.reports.fincen_structure import check_structure
from txmon.reports.fincen_values import calendar_date
from txmon.reports.fincen_victims import check_victims
from txmon.reports.formats import Finding


def faults_of(xml: bytes, *, today: date | None = None, protected: Collection[str] = ()) -> list[Fault]:
    """Return every fault of a batch.

    Args:
        today: the day of checking; no report may be filed after it
        protected: names and numbers of possible victims, who must not be subjects
    """
    faults = Faults()
    root = parse(xml, faults)
    if root is None or not check_structure(root, faults):
        return faults.found
    for activity in all_of(root, "Activity"):
        check_parties(activity, calendar_date(text(activity, "FilingDateText")), faults)
        check_activity(activity, today, faults)
        check_victims(activity, protected, faults)
        check_hygiene(activity, faults)
    return faults.found


def schema_findings(xml: bytes, schema: Path) -> list[Finding]:
    """Return what the authority's schema finds; nothing is fetched.

    Raises:
        ConfigError: the schema file cannot be read.
    """
    faults = Faults()
    root = parse(xml, faults)
    if root is None:
        return [f.finding() for f in faults.found]
    try:
        compiled = etree.XMLSchema(
            etree.parse(schema, etree.XMLParser(resolve_entities=False, no_network=True))
        )
    except (OSError, etree.XMLSyntaxError, etree.XMLSchemaParseError) as error:
        raise ConfigError(
            f"{schema} is not a usable XML schema; give FinCEN's EFL_SARXBatchSchema.xsd"
        ) from error
    compiled.validate(root)
    return [
        Finding(
            code="fincen_schema",
            path=entry.path or "EFilingBatchXML",
            line=entry.line,
            message=f"the schema refuses it: {entry.type_name}",
            remedy="correct the value or its place",
        )
        for entry in cast("Iterable[Any]", compiled.error_log)
    ]
