"""What is written is judged by two validators that share no code: lxml's and xmlschema's XSD 1.1."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import reportkit
import sarkit
import xmlschema
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree
from test_made_reports import reports as goaml_reports

from txmon.reports import checks, fincen, goaml
from txmon.reports.formats import Format, Options
from txmon.reports.goamlschema import load_schema
from txmon.reports.model import Kind, Mode, Report

PUBLIC = Path(__file__).parents[3] / "shared" / "formats"
GOAML = PUBLIC / "goaml" / "goAMLSchema-5.0.2-ae-pristine.xsd"
LK = PUBLIC / "goaml" / "goAMLSchema-4x-lk.xsd"
FINCEN = PUBLIC / "fincen" / "EFL_SARXBatchSchema.xsd"
WANTED = 200  # releasable reports of each kind that are judged

pytestmark = [
    pytest.mark.shared,
    pytest.mark.slow,
    pytest.mark.skipif(not PUBLIC.is_dir(), reason="the public schemas are not beside the repository"),
]


@cache
def second(path: Path) -> Any:
    """The second validator; goAML's name patterns are repaired in memory, as for the first."""
    if path == FINCEN:
        return xmlschema.XMLSchema11(str(path))
    return xmlschema.XMLSchema11(load_schema(path).source.decode())


@cache
def first(path: Path) -> etree.XMLSchema:
    return load_schema(path).xsd


def judged(path: Path, data: bytes) -> tuple[bool, bool]:
    """Both verdicts on a text."""
    return first(path).validate(etree.fromstring(data)), second(path).is_valid(data.decode())


def judge_made(
    drawn: st.SearchStrategy[Report], form: Format, options: Options, path: Path, examples: int
) -> int:
    """Draw reports, write those that may be released, have both judge; return how many."""
    count = [0]

    @settings(max_examples=examples)
    @given(drawn)
    def each(made: Report) -> None:
        if checks.errors(checks.check_for(made, form, options)):
            return
        count[0] += 1
        data = form.write(made, options)
        assert judged(path, data) == (True, True), list(second(path).iter_errors(data.decode()))[:3]

    each()
    return count[0]


def test_goaml_files_of_made_reports_are_valid_to_both() -> None:
    assert judge_made(goaml_reports(), goaml.FORMAT, Options(), GOAML, 900) >= WANTED


def test_fincen_files_of_made_reports_are_valid_to_both() -> None:
    """The narratives are unsigned, which is no business of the schema."""
    count = [0]

    @settings(max_examples=WANTED + 50)
    @given(sarkit.whole_reports())
    def each(made: Report) -> None:
        if checks.errors(fincen.check(made, Options())):
            return
        count[0] += 1
        assert judged(FINCEN, fincen.to_xml(made, Options())) == (True, True)

    each()
    assert count[0] >= WANTED


@pytest.mark.parametrize("mode", list(Mode))
@pytest.mark.parametrize("codes", [{}, {"goaml": "SAR"}])
def test_the_whole_goaml_case_is_valid_to_both(mode: Mode, codes: dict[str, str]) -> None:
    made = reportkit.report(mode=mode, codes=codes)
    assert judged(GOAML, checks.write(made, goaml.FORMAT, Options())) == (True, True)


@pytest.mark.parametrize("mode", list(Mode))
@pytest.mark.parametrize("kind", list(Kind))
def test_the_whole_fincen_case_is_valid_to_both(mode: Mode, kind: Kind) -> None:
    prior = sarkit.PRIOR if kind in (Kind.CORRECTION, Kind.CONTINUING) else None
    made = sarkit.a_report(mode=mode, kind=kind, prior_filing=prior)
    assert judged(FINCEN, fincen.to_xml(made, Options())) == (True, True)


def broken(root: etree._Element, data: st.DataObject) -> bytes:
    """A valid file with one element removed, doubled, moved or given another text."""
    root = deepcopy(root)
    one = data.draw(st.sampled_from([e for e in root.iter(etree.Element) if e.getparent() is not None]))
    parent = one.getparent()
    assert parent is not None
    change = data.draw(st.sampled_from(["remove", "double", "last", "text", "attribute"]))
    if change == "remove":
        parent.remove(one)
    elif change == "double":
        one.addnext(deepcopy(one))
    elif change == "last":
        parent.append(one)
    elif change == "attribute":
        one.set("x", "1")
    else:
        one.text = data.draw(
            st.sampled_from(["", "x", "-1", "2026-13-45", "y" * 20_000, " a", "ZZ", "20260230"])
        )
    return etree.tostring(root)


@pytest.mark.parametrize(
    ("path", "write"),
    [
        (GOAML, lambda: goaml.write(reportkit.report(), Options())),
        (FINCEN, lambda: fincen.to_xml(sarkit.a_report(), Options())),
    ],
    ids=["goaml", "fincen"],
)
def test_both_refuse_the_same_broken_files(path: Path, write: Callable[[], bytes]) -> None:
    """A validator that passes everything would agree with every valid file; so they must agree on broken ones."""
    root = etree.fromstring(write())
    verdicts: list[tuple[bool, bool]] = []

    @settings(max_examples=200)
    @given(st.data())
    def each(data: st.DataObject) -> None:
        both = judged(path, broken(root, data))
        verdicts.append(both)
        assert both[0] == both[1]

    each()
    assert sum(verdict == (False, False) for verdict in verdicts) > 100


def test_the_schema_as_exported_refuses_every_name_to_both() -> None:
    """What the repair in memory is for."""
    data = goaml.write(reportkit.report(), Options())
    raw = GOAML.read_text(encoding="utf-8-sig")
    assert not etree.XMLSchema(etree.fromstring(raw.encode())).validate(etree.fromstring(data))
    assert not xmlschema.XMLSchema11(raw).is_valid(data.decode())
