"""YAML text as nodes that know where they stand: no aliases, no tags, no duplicate keys, no surprises.

Plain scalars are resolved as YAML 1.2's core schema does (so ``NO`` stays a country and ``12:30`` stays
text); numbers keep their exact decimal. Built from parser events with an explicit stack, so depth is
bounded before anything recurses. Owns reading and positions; never knows what a rule is.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal

import yaml

from txmon.errors import RuleError, SourceLocation

MAX_BYTES = 4_000_000
MAX_DEPTH = 40
MAX_NODES = 400_000
_INT = re.compile(r"[-+]?[0-9]{1,30}")
_FLOAT = re.compile(r"[-+]?(?:[0-9]{1,30}\.[0-9]{0,30}|\.[0-9]{1,30}|[0-9]{1,30})(?:[eE][-+]?[0-9]{1,3})?")
_NULLS = frozenset({"", "~", "null", "Null", "NULL"})
_BOOLS = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True)
class Document:
    """The text of a file and the starts of its lines."""

    path: str
    text: str
    line_starts: tuple[int, ...]

    @classmethod
    def of(cls, path: str, text: str) -> Document:
        """Index the lines of `text`."""
        starts = [0] + [match.end() for match in re.finditer(r"\r\n|\r|\n|\x85|\u2028|\u2029", text)]
        return cls(path, text, tuple(starts))

    def location(self, index: int) -> SourceLocation:
        """Line and column (from 1) of a character of the file."""
        line = bisect_right(self.line_starts, index)
        return SourceLocation(self.path, line, index - self.line_starts[line - 1] + 1)


@dataclass(frozen=True)
class YamlNode:
    """A scalar, sequence or mapping with the span of file text it came from."""

    kind: Literal["scalar", "seq", "map"]
    document: Document
    start: int
    end: int
    value: Any = None  # of a scalar: str, int, Decimal, bool or None
    text: str = ""
    items: tuple[YamlNode, ...] = ()
    entries: tuple[tuple[YamlNode, YamlNode], ...] = ()
    style: str = ""
    index: dict[str, YamlNode] = field(default_factory=dict, compare=False)

    @property
    def location(self) -> SourceLocation:
        """Where the node starts."""
        return self.document.location(self.start)

    def error(self, detail: str) -> RuleError:
        """Make an error at the node's start."""
        return RuleError(detail, self.location)

    def key_node(self, key: str) -> YamlNode:
        """Return the node of a mapping's key; the mapping itself if it has no such key."""
        return next((k for k, _ in self.entries if k.text == key), self)

    def plain(self) -> Any:
        """Plain dicts, lists and scalars; numbers that are not whole stay `Decimal`."""
        if self.kind == "map":
            return {key.text: value.plain() for key, value in self.entries}
        if self.kind == "seq":
            return [item.plain() for item in self.items]
        return self.value

    def offset_in_file(self, offset: int) -> int:
        """File index of character `offset` of a text scalar's value.

        The value is aligned with the raw text: folding, indentation, quotes and escapes only ever add
        characters, so each visible character is the next equal one of the raw text.
        """
        raw, at = self.document.text, self.start
        if self.style in ("|", ">"):
            newline = raw.find("\n", at)
            at = self.end if newline < 0 else newline + 1
        elif self.style in ("'", '"'):
            at += 1
        found = at
        for character in self.text[: offset + 1]:
            if character.isspace():
                continue
            position = raw.find(character, at, self.end)
            if position < 0:  # an escape such as \x41: stay where the last character was
                continue
            found, at = position, position + 1
        return min(found, max(self.end - 1, self.start))

    def error_at(self, offset: int, detail: str) -> RuleError:
        """Make an error at character `offset` of a text scalar's value."""
        return RuleError(detail, self.document.location(self.offset_in_file(offset)))


def read_yaml(path: Path, shown: str | None = None) -> tuple[YamlNode | None, list[RuleError]]:
    """Read a file; return its root node (None if unreadable) and what is wrong with it."""
    shown = shown or str(path)
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        return None, [RuleError(f"cannot be read: {error.strerror}", SourceLocation(shown))]
    if len(content) > MAX_BYTES:
        return None, [RuleError(f"file is longer than {MAX_BYTES:,} bytes; split it", SourceLocation(shown))]
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        column = error.start - (content.rfind(b"\n", 0, error.start) + 1) + 1
        where = SourceLocation(shown, line, column)
        return None, [
            RuleError(f"byte 0x{content[error.start]:02x} is not UTF-8; save the file as UTF-8", where)
        ]
    return parse_yaml(text, shown)


def parse_yaml(text: str, shown: str) -> tuple[YamlNode | None, list[RuleError]]:
    """Parse YAML text; return its root node (None if it has none) and what is wrong with it."""
    builder = _Builder(Document.of(shown, text))
    try:
        builder.run(yaml.parse(text, Loader=_Loader))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = SourceLocation(shown, mark.line + 1, mark.column + 1) if mark else SourceLocation(shown)
        detail = "; ".join(part for part in (error.context, error.problem) if part)
        return None, [*builder.errors, RuleError(f"not YAML: {detail}", where)]
    except yaml.reader.ReaderError as error:
        where = builder.document.location(min(int(error.position), len(text)))
        return None, [RuleError(f"not YAML: character {error.character!r} is not allowed", where)]
    except _Refused as refused:
        return None, [*builder.errors, refused.error]
    if builder.root is None and not builder.errors:
        return None, [RuleError("the file is empty", SourceLocation(shown))]
    return builder.root, builder.errors


class _Refused(Exception):
    """The document cannot be used at all."""

    def __init__(self, error: RuleError) -> None:
        super().__init__(str(error))
        self.error = error


class _Builder:
    """Turns parser events into nodes."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.errors: list[RuleError] = []
        self.root: YamlNode | None = None
        self._stack: list[tuple[Any, list[YamlNode]]] = []
        self._count = 0
        self._documents = 0

    def run(self, events: Iterator[Any]) -> None:
        for event in events:
            if isinstance(event, yaml.AliasEvent):
                self._refuse(event, f"alias *{event.anchor}: aliases are not accepted; write the value out")
            elif isinstance(event, yaml.DocumentStartEvent):
                self._documents += 1
                if self._documents > 1:
                    self._refuse(event, "a second document (`---`); one file holds one document")
            elif isinstance(event, (yaml.MappingStartEvent, yaml.SequenceStartEvent)):
                self._check(event)
                self._stack.append((event, []))
                if len(self._stack) > MAX_DEPTH:
                    self._refuse(event, f"nested deeper than {MAX_DEPTH} levels")
            elif isinstance(event, (yaml.MappingEndEvent, yaml.SequenceEndEvent)):
                self._close(event)
            elif isinstance(event, yaml.ScalarEvent):
                self._check(event)
                self._add(self._scalar(event))

    def _refuse(self, event: Any, detail: str) -> None:
        raise _Refused(RuleError(detail, self.document.location(event.start_mark.index)))

    def _check(self, event: Any) -> None:
        self._count += 1
        if self._count > MAX_NODES:
            self._refuse(event, f"more than {MAX_NODES:,} values")
        if event.anchor is not None:
            self._refuse(event, f"anchor &{event.anchor}: anchors are not accepted; write the value out")
        if event.tag is not None and event.tag != "!":
            self._refuse(event, f"tag {event.tag}: tags are not accepted")

    def _scalar(self, event: Any) -> YamlNode:
        style = event.style or ""
        plain = not style and event.tag is None
        value = _resolve(event.value) if plain else event.value
        start, end = event.start_mark.index, event.end_mark.index
        return YamlNode("scalar", self.document, start, end, value, event.value, style=style)

    def _close(self, event: Any) -> None:
        opened, nodes = self._stack.pop()
        start, end = opened.start_mark.index, event.end_mark.index
        if isinstance(opened, yaml.SequenceStartEvent):
            self._add(YamlNode("seq", self.document, start, end, items=tuple(nodes)))
            return
        entries: list[tuple[YamlNode, YamlNode]] = []
        index: dict[str, YamlNode] = {}
        for key, value in zip(nodes[::2], nodes[1::2], strict=True):
            if key.kind != "scalar":
                self.errors.append(key.error("a key must be plain text"))
            elif key.text in index:
                self.errors.append(key.error(f"duplicate key `{key.text}`; keep one"))
            else:
                entries.append((key, value))
                index[key.text] = value
        self._add(YamlNode("map", self.document, start, end, entries=tuple(entries), index=index))

    def _add(self, node: YamlNode) -> None:
        if self._stack:
            self._stack[-1][1].append(node)
        else:
            self.root = node


def _resolve(text: str) -> str | int | Decimal | bool | None:
    """Value of a plain scalar."""
    if text in _NULLS:
        return None
    if text in _BOOLS:
        return _BOOLS[text]
    if _INT.fullmatch(text):
        return int(text)
    if _FLOAT.fullmatch(text):
        return Decimal(text)
    return text
