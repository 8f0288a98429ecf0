"""Hostile and wrong texts are refused when a pack is loaded, with place and construct, and never run."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest
import yaml
from rulekit import pack

from txmon.errors import RuleErrors
from txmon.rules.pack import load_pack

CASES = yaml.safe_load((Path(__file__).parent / "hostile.yaml").read_text(encoding="utf-8"))
HEAD = """id: hostile
version: 1
title: hostile
subject: payer
params: {limit: 5, many: [1, 2], usd: {value: 10, currency: USD}}
let:
  n: count(*) over payer_7d
  since: event_time - lag(event_time) over payer_7d
  other: sum(amount) over payer_7d
"""


def test_there_are_many() -> None:
    assert len(CASES) >= 250
    assert len({text for _, text, _, _ in CASES}) == len(CASES)


@pytest.fixture(autouse=True)
def _nothing_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a text of a rule reached DuckDB")

    monkeypatch.setattr(duckdb, "connect", refuse)
    monkeypatch.setattr(duckdb, "execute", refuse)
    monkeypatch.setattr(duckdb, "sql", refuse)


@pytest.mark.parametrize(("place", "text", "where", "says"), CASES, ids=[text for _, text, _, _ in CASES])
def test_refused_with_place_and_construct(
    tmp_path: Path, place: str, text: str, where: str, says: str
) -> None:
    block = f"|2\n    {text}\n"
    rule = HEAD + (f"  bad: {block}when: true\n" if place == "let" else f"when: {block}")
    pack(tmp_path, {"hostile.yaml": rule})
    with pytest.raises(RuleErrors) as caught:
        load_pack(tmp_path)
    lines = rule.splitlines()
    at_line = next(i for i, line in enumerate(lines, 1) if line.startswith("    "))
    matching = [e for e in caught.value.errors if says in e.detail]
    assert matching, str(caught.value)
    source = matching[0].source
    assert source.path.endswith("hostile.yaml")
    assert source.line == at_line or not text.strip()
    if where:
        assert lines[at_line - 1][source.column - 1 :].startswith(where), str(matching[0])


BOUNDS = {
    "300 parentheses": ("(" * 300 + "amount > 1" + ")" * 300, "nested deeper than 32"),
    "33 parentheses": ("(" * 33 + "amount > 1" + ")" * 33, "nested deeper than 32"),
    "400 times not": ("not " * 400 + "true", "nested deeper than 32"),
    "400 minus": ("- " * 400 + "1 = 1", "nested deeper than 32"),
    "40 case": ("case when true then " * 40 + "1" + " end" * 40 + " = 1", "nested deeper than 32"),
    "mixed nesting": ("(not (" * 17 + "true" + "))" * 17, "nested deeper than 32"),
    "40 calls": ("abs(" * 40 + "1" + ")" * 40 + " = 1", "nested deeper than 32"),
    "40 brackets": ("[" * 40 + "1" + "]" * 40, "nested deeper than 32"),
    "long text": ("payer = '" + "x" * 5000 + "'", "at most 4,096"),
    "long in bytes": ("payer = '" + "€" * 2000 + "'", "at most 4,096"),
    "many tokens": (" or ".join(["true"] * 400), "more than 500 tokens"),
    "long chain": ("1" + " + 1" * 60 + " = 1", "more than 40 operators"),
    "big interval": ("interval '999999999999 days' is null", "longer than 10,000 days"),
}


@pytest.mark.parametrize("name", BOUNDS)
def test_bounds_hold_before_parsing(tmp_path: Path, name: str) -> None:
    text, says = BOUNDS[name]
    quoted = text.replace("\\", "\\\\").replace('"', '\\"')
    pack(tmp_path, {"big.yaml": f'id: big\nversion: 1\ntitle: t\nsubject: payer\nwhen: "{quoted}"\n'})
    with pytest.raises(RuleErrors) as caught:
        load_pack(tmp_path)
    assert says in str(caught.value)
    assert "big.yaml:5:" in str(caught.value)


def test_what_is_just_within_the_bounds_loads(tmp_path: Path) -> None:
    texts = {
        "parens": "(" * 32 + "amount > 1" + ")" * 32,
        "ors": " or ".join(["true"] * 250),
        "chain": "1" + " + 1" * 40 + " > 1",
    }
    files = {
        f"{name}.yaml": f'id: {name}\nversion: 1\ntitle: t\nsubject: payer\nwhen: "{text}"\n'
        for name, text in texts.items()
    }
    assert len(load_pack(pack(tmp_path, files)).rules) == len(texts)
