"""The grammar of a goAML version: which element stands where, how often, with what kind of value.

Owns the reading of shape files (``profiles/goaml-*.shape``; their first lines explain the notation) and the
matching of a parent's children against them. Knows no codes, no values (`goamlvalues`) and no XML library.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

MANY = 10**6
_TOKEN = re.compile(r"\(|\)[?*+]?|\||\.\.\.\S+|[a-z_0-9]+(?:[?*+]|\{\d+,\d+\})?:[^\s()|]+")
_OCCURS = {"": (1, 1), "?": (0, 1), "*": (0, MANY), "+": (1, MANY)}


@dataclass(frozen=True, slots=True)
class Item:
    """An element of a parent: `kind` names its value, or its type after ``=``."""

    name: str
    low: int
    high: int
    kind: str

    @property
    def type(self) -> str:
        """Return the name of the type of its children, empty where it holds a value."""
        return self.kind[1:] if self.kind.startswith("=") else ""


@dataclass(frozen=True, slots=True)
class Group:
    """Branches of which one stands (`low` to `high` times); a sequence has a single branch."""

    branches: tuple[tuple[Part, ...], ...]
    low: int
    high: int


Part = Item | Group


@dataclass(frozen=True, slots=True)
class Misfit:
    """Where the children of a parent leave the grammar: at `index`, with what could have stood there."""

    index: int
    why: str  # missing, order, many, unknown, choice
    name: str  # the element that is missing or should not stand there
    expected: tuple[str, ...]


@dataclass(frozen=True)
class Shape:
    """All types of a version."""

    types: dict[str, tuple[Part, ...]]
    names: frozenset[str]  # every element that exists anywhere
    patterns: dict[str, re.Pattern[str]]  # by number, of kinds that end in ~number

    def has(self, kind: str, name: str) -> bool:
        """Whether elements of a type may have a child of this name."""
        return kind in self.types and name in self.items(kind)

    def items(self, kind: str) -> dict[str, Item]:
        """Return the elements of a type by name, in order."""
        return {item.name: item for item in _items(self.types[kind])}

    def match(self, kind: str, children: Sequence[str]) -> Misfit | None:
        """Return the first place where children (names, in order) are not of a type, or null."""
        run = _Run(children)
        run.sequence(self.types[kind])
        if run.misfit is None and run.at < len(children):
            run.misfit = Misfit(run.at, "order", children[run.at], tuple(run.could))
        return None if run.misfit is None else self._explain(kind, children, run.misfit)

    def _explain(self, kind: str, children: Sequence[str], found: Misfit) -> Misfit:
        """Say which reason it is: an unknown element, too many, out of order, or a missing one."""
        known = self.items(kind)
        if found.index < len(children):
            name = children[found.index]
            if name not in known:
                return Misfit(found.index, "unknown", name, tuple(known))
            if children[: found.index].count(name) >= known[name].high:
                return Misfit(found.index, "many", name, found.expected)
            missing = not any(name in children[found.index :] for name in found.expected)
            if found.why != "missing" or not missing:
                return Misfit(found.index, "order", name, found.expected)
        return Misfit(found.index, "missing", found.expected[0] if found.expected else "", found.expected)


class _Run:
    """One walk over children; XSD's rules make every step unambiguous, so it never goes back."""

    def __init__(self, children: Sequence[str]) -> None:
        self.children = children
        self.at = 0
        self.could: list[str] = []  # optional elements that could have stood at `at`
        self.misfit: Misfit | None = None

    def sequence(self, parts: tuple[Part, ...]) -> None:
        for part in parts:
            self.repeat(part)
            if self.misfit is not None:
                return

    def repeat(self, part: Part) -> None:
        first = _first(part)
        count = 0
        while count < part.high and self.at < len(self.children) and self.children[self.at] in first:
            before = self.at
            self.once(part)
            if self.misfit is not None or self.at == before:
                break
            count += 1
        if self.misfit is not None:
            return
        if count < part.low and not _nullable(part):
            self.misfit = Misfit(self.at, "missing", "", tuple(first))
        elif count == 0:
            self.could += first

    def once(self, part: Part) -> None:
        if isinstance(part, Item):
            self.at += 1
            self.could = []
            return
        here = self.children[self.at]
        branch = next(b for b in part.branches if here in _first_of(b))
        self.sequence(branch)


@cache
def _first(part: Part) -> tuple[str, ...]:
    if isinstance(part, Item):
        return (part.name,)
    return tuple(name for branch in part.branches for name in _first_of(branch))


@cache
def _first_of(parts: tuple[Part, ...]) -> tuple[str, ...]:
    out: list[str] = []
    for part in parts:
        out += _first(part)
        if not _nullable(part):
            break
    return tuple(out)


@cache
def _nullable(part: Part) -> bool:
    if part.low == 0:
        return True
    return isinstance(part, Group) and any(all(_nullable(p) for p in b) for b in part.branches)


def _items(parts: Sequence[Part]) -> Iterator[Item]:
    for part in parts:
        if isinstance(part, Item):
            yield part
        else:
            for branch in part.branches:
                yield from _items(branch)


@cache
def load(name: str) -> Shape:
    """Return the shape in a file of ``profiles/``."""
    lines = (files("txmon.reports") / "profiles" / name).read_text(encoding="utf-8").splitlines()
    texts: dict[str, str] = {}
    patterns: dict[str, re.Pattern[str]] = {}
    kind = ""
    for line in lines:
        if line.startswith("~"):
            number, _, pattern = line[1:].partition(" ")
            patterns[number] = re.compile(pattern)
        elif line.startswith("  "):
            texts[kind] += line + " "
        elif line and not line.startswith("#"):
            kind = line.removesuffix(":")
            texts[kind] = ""
    types = {kind: _parse(kind, texts) for kind in texts}
    return Shape(types, frozenset(item.name for parts in types.values() for item in _items(parts)), patterns)


def _parse(kind: str, texts: dict[str, str]) -> tuple[Part, ...]:
    tokens = _TOKEN.findall(texts[kind])
    if "".join(tokens) != "".join(texts[kind].split()):
        raise AssertionError(f"the shape of {kind} is not in its notation")
    out: list[Part] = []
    if tokens and tokens[0].startswith("..."):
        out += _parse(tokens.pop(0)[3:], texts)
    parts, rest = _branch(tokens)
    if rest:
        raise AssertionError(f"the shape of {kind} has a bracket too many")
    return (*out, *parts)


def _branch(tokens: list[str]) -> tuple[tuple[Part, ...], list[str]]:
    """Read parts up to a ``|`` or closing bracket; returns them and the tokens from there."""
    out: list[Part] = []
    while tokens and tokens[0] != "|" and not tokens[0].startswith(")"):
        if tokens[0] != "(":
            out.append(_item(tokens[0]))
            tokens = tokens[1:]
            continue
        branches: list[tuple[Part, ...]] = []
        while tokens[0] in ("(", "|"):
            branch, tokens = _branch(tokens[1:])
            branches.append(branch)
        out.append(Group(tuple(branches), *_OCCURS[tokens[0][1:]]))
        tokens = tokens[1:]
    return tuple(out), tokens


def _item(token: str) -> Item:
    name, _, kind = token.partition(":")
    if "{" in name:
        name, _, occurs = name.partition("{")
        low, _, high = occurs.removesuffix("}").partition(",")
        return Item(name, int(low), int(high), kind)
    plain = name.rstrip("?*+")
    return Item(plain, *_OCCURS[name[len(plain) :]], kind)
