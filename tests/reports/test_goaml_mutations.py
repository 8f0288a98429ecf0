"""Reports broken at random: what the unit's schema refuses, the validator refuses without it; it never fails."""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree
from reportkit import report

from txmon.reports import goaml
from txmon.reports.formats import Level, Options
from txmon.reports.goamlprofile import profile
from txmon.reports.goamlschema import load_schema
from txmon.reports.goamltext import Walk

PUBLIC = Path(__file__).parents[3] / "shared" / "formats" / "goaml"
SOUND = [
    etree.fromstring(goaml.write(made, Options()))
    for made in (report(), report(codes={"goaml": "SAR"}), report(transactions=report().transactions[:1]))
]
VALUES = [
    "",
    " ",
    "-",
    "0",
    "-1",
    "1e3",
    "true",
    "1",
    "X",
    "x" * 300,
    "é",
    "2026-02-30T00:00:00",
    "1752-01-01T00:00:00",
]
VALUES += ["24:00", "+5", "1.", ".5", "AE", "UNKNOWN", "a@b.example", "2026-01-01T00:00:00Z", "٣"]
CHANGES = ("drop", "twice", "swap", "text", "rename", "move", "attribute", "child")


@st.composite
def broken(draw: st.DrawFn) -> etree._Element:
    """A sound report with one or two elements changed."""
    root = deepcopy(draw(st.sampled_from(SOUND)))
    for _ in range(draw(st.integers(1, 2))):
        every = [e for e in root.iter() if e.getparent() is not None]
        element = draw(st.sampled_from(every))
        parent = element.getparent()
        change = draw(st.sampled_from(CHANGES))
        if change == "drop":
            parent.remove(element)
        elif change == "twice":
            element.addnext(deepcopy(element))
        elif change == "swap" and element.getnext() is not None:
            element.addprevious(element.getnext())
        elif change == "text" and not len(element):
            element.text = draw(st.sampled_from(VALUES))
        elif change == "rename":
            element.tag = draw(st.sampled_from(sorted(profile().shape.names)))
        elif change == "move":
            draw(st.sampled_from(every)).append(deepcopy(element))
        elif change == "attribute":
            element.set("x", "1")
        elif change == "child":
            etree.SubElement(element, draw(st.sampled_from(sorted(profile().shape.names))))
    return root


@pytest.mark.shared
@pytest.mark.slow
@given(broken())
@settings(max_examples=1500)
def test_what_the_schema_refuses_the_validator_refuses(root: etree._Element) -> None:
    if not PUBLIC.is_dir():
        pytest.skip("the public goAML files are not beside the repository")
    text = etree.tostring(root)
    schema = load_schema(PUBLIC / "goAMLSchema-5.0.2-ae-pristine.xsd").findings(etree.fromstring(text))
    ours = [f for f in goaml.validate(text, Options()) if f.level is Level.ERROR]
    assert ours or not schema, [str(f) for f in schema]


@pytest.mark.shared
@pytest.mark.slow
@given(broken())
@settings(max_examples=500)
def test_what_the_grammar_refuses_the_schema_refuses(root: etree._Element) -> None:
    """The grammar alone, without business rules, invents nothing: it is stricter only where it says so."""
    if not PUBLIC.is_dir():
        pytest.skip("the public goAML files are not beside the repository")
    text = etree.tostring(root)
    parsed = etree.fromstring(text)
    found = [f for f in Walk(parsed, profile()).findings if f.code not in ("empty", "attribute")]
    schema = load_schema(PUBLIC / "goAMLSchema-5.0.2-ae-pristine.xsd").findings(parsed)
    assert schema or not found, [str(f) for f in found]
