"""goAML XML 5.0.2 (UNODC): the format as the registry knows it.

`check` walks the report as `write` does and says what is missing; `validate` judges text alone: grammar,
values, business rules, and the authority's schema where one is given.
"""

from __future__ import annotations

from lxml import etree

from txmon.reports.fincen import names_of
from txmon.reports.formats import Finding, Format, Options
from txmon.reports.goamlbuild import Builder
from txmon.reports.goamlmap import Mapper
from txmon.reports.goamlprofile import Profile, profile
from txmon.reports.goamlrules import findings as rule_findings
from txmon.reports.goamlschema import load_schema
from txmon.reports.goamltext import Walk, parse
from txmon.reports.model import Report


def check(report: Report, options: Options) -> list[Finding]:
    """Return what a report lacks for goAML, each at its field of the model."""
    return _build(report, profile(options.profile))[1]


def write(report: Report, options: Options) -> bytes:
    """Return the report as goAML XML in UTF-8; a simulated or test report says so before anything else."""
    root = _build(report, profile(options.profile))[0]
    if report.mark:
        root.addprevious(etree.Comment(f" {report.mark}: not for submission "))
    etree.indent(root, "  ")
    tree = etree.ElementTree(root)
    return etree.tostring(tree, encoding="UTF-8", xml_declaration=True, pretty_print=True)


def validate(data: bytes, options: Options) -> list[Finding]:
    """Return what is wrong in a text, by line; the schema's findings come where `options` name one.

    `options.extra["possible_victims"]` names people who must not be subjects, one a line.
    """
    root, found = parse(data)
    if root is None:
        return found
    walk = Walk(root, profile(options.profile))
    found = walk.findings + rule_findings(walk, names_of(options))
    if options.schema is not None:
        found += load_schema(options.schema).findings(root)
    return sorted(found, key=lambda f: f.line)


def notes(options: Options) -> list[str]:
    """Say what was repaired in the schema that `options` name."""
    if options.schema is None:
        return []
    repaired = load_schema(options.schema).repaired
    if not repaired:
        return []
    return [
        f"{options.schema}: {repaired} patterns were repaired in memory; as exported they refuse every name"
    ]


def _build(report: Report, rules: Profile) -> tuple[etree._Element, list[Finding]]:
    builder = Builder(rules)
    mapper = Mapper(report, rules)
    root = builder.build("report", "report", mapper.map())
    found = builder.findings + _demanded(root, rules)
    if mapper.unshown and root.find("transaction") is not None and root.find("activity") is None:
        remedy = "name the subject as a side or conductor of a transaction, or report an activity"
        message = f"stand on no side of a transaction, and {rules.title} takes no activity beside"
        found.append(Finding(code="subject_unshown", path="subjects", message=message, remedy=remedy))
    found = list(dict.fromkeys(found))
    return root, found


_FIELDS = {
    "reason": "narrative.paragraphs",
    "action": "actions",
    "location": "filer.organisation.address",
    "reporting_person": "reporting_person",
}


def _demanded(root: etree._Element, rules: Profile) -> list[Finding]:
    """Return what the unit demands beyond the schema and the report has not."""
    remedy = f"record it; {rules.title} demands it"
    return [
        Finding(code="missing", path=_FIELDS.get(name, name), message="is missing", remedy=remedy)
        for name in rules.demanded(root.findtext("report_code") or "")
        if root.find(name) is None
    ]


FORMAT = Format(
    name="goaml",
    title="goAML XML (UNODC)",
    suffix=".xml",
    check=check,
    write=write,
    validate=validate,
    notes=notes,
)
