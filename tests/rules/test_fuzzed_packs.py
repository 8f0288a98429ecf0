"""Whatever bytes lie in a pack, loading ends with a plan or with located errors, never with a traceback."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rulekit import RULE, pack

from txmon.errors import RuleError, RuleErrors, SourceLocation
from txmon.rules.pack import load_pack
from txmon.rules.yamlnode import parse_yaml

WORDS = (
    *("amount", "payer", "count(*)", "over", "payer_7d", "and", "or", "not", "(", ")", ",", "in", "like"),
    *(
        "between",
        "case",
        "when",
        "then",
        "else",
        "end",
        "null",
        "true",
        "1",
        "0.5",
        "'a'",
        ":p",
        "+",
        "-",
        "*",
    ),
    *("/", "%", "||", "=", "<>", "<", ">=", "is", "distinct", "from", "cast", "as", "double", "interval"),
    *("'2 days'", "sum(", "avg(", "lag(", "filter", "(where", "list(", "hits(", "anomaly(", "event_time"),
    *("coalesce(", '"', "'", ";", "--", "[", "]", "{"),
)
TEXTS = st.one_of(
    st.text(max_size=60),
    st.lists(st.sampled_from(WORDS), max_size=30).map(" ".join),
    st.lists(st.sampled_from(WORDS), max_size=20).map("".join),
)


def load(root: Path) -> None:
    found: tuple[RuleError, ...] = ()
    try:
        load_pack(root)
    except RuleErrors as errors:
        found = errors.errors or (RuleError("no error is named", SourceLocation("", 0)),)
    assert all(e.source.line >= 1 and e.source.column >= 1 and e.detail for e in found)


@given(when=TEXTS, let=TEXTS)
def test_any_text(tmp_path: Path, when: str, let: str) -> None:
    shown = [repr_yaml(t) for t in (when, let)]
    rule = RULE.format(id="r").replace("amount > 1", shown[0]) + f"let: {{x: {shown[1]}}}\nparams: {{p: 3}}\n"
    load(pack(tmp_path, {"r.yaml": rule}))


def repr_yaml(text: str) -> str:
    return (
        '"'
        + "".join(c if c.isalnum() or c in " ()+-*/%<>=,.:'|[]{};" else f"\\U{ord(c):08x}" for c in text)
        + '"'
    )


@given(content=st.binary(max_size=200))
def test_any_bytes(tmp_path: Path, content: bytes) -> None:
    for name in ("r.yaml", "derived.yaml", "lists/l.yaml", "detectors/d.yaml"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(content)
    load(tmp_path)


@given(text=st.text(alphabet="abc:-[]{}&*!|>'\"#% \n\t?,~0", max_size=80))
def test_any_yaml(tmp_path: Path, text: str) -> None:
    load(
        pack(tmp_path, {"r.yaml": text, "lists/l.yaml": text, "derived.yaml": text, "detectors/d.yaml": text})
    )


BOMBS = {
    "aliases": "a: &a [1, 1]\nb: [*a, *a]\n",
    "anchor": "a: &a 1\n",
    "tag": "a: !!python/object:os.system x\n",
    "two documents": "a: 1\n---\nb: 2\n",
    "deep": "[" * 500,
    "deep and closed": "[" * 100 + "]" * 100,
    "mapping key": "{[a]: 1}\n",
    "duplicate": "a: 1\na: 2\n",
    "NUL": "a: \x00\n",
    "empty": "",
    "tab": "a:\n\t- b\n",
}


@pytest.mark.parametrize("name", BOMBS)
def test_yaml_that_is_refused(name: str) -> None:
    _, errors = parse_yaml(BOMBS[name], "x.yaml")
    assert errors
    assert all(e.source.path == "x.yaml" for e in errors)


def test_scalars_are_what_they_look_like() -> None:
    text = "{a: NO, b: 12:30, c: 010, d: 1.50, e: true, f: ~, g: 2026-01-01, h: '5', i: 1e3, j: .5, k: -7}"
    root, errors = parse_yaml(text, "x.yaml")
    assert root is not None
    assert not errors
    shown = {key: str(value) for key, value in root.plain().items()}
    assert shown == {
        "a": "NO", "b": "12:30", "c": "10", "d": "1.50", "e": "True", "f": "None", "g": "2026-01-01",
        "h": "5", "i": "1E+3", "j": "0.5", "k": "-7",
    }  # fmt: skip


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    root = pack(tmp_path, {"good.yaml": RULE.format(id="good")})
    (root / "bad.yaml").write_bytes(b"id: bad\ntitle: \xff\n")
    (root / "folder.yaml").mkdir()
    (root / "huge.yaml").write_bytes(b"#" * 4_000_001)
    with pytest.raises(RuleErrors) as caught:
        load_pack(root)
    text = str(caught.value)
    assert "bad.yaml:2:8: byte 0xff is not UTF-8" in text
    assert "folder.yaml:1:1: cannot be read" in text
    assert "huge.yaml:1:1: file is longer" in text
