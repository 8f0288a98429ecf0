"""Reads feed files: YAML to a checked `Feed`, every error with file, line and column.

Owns the file's keys and their checks but for what columns are made of; runs nothing of the feed.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import re
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from zoneinfo import available_timezones

import txmon
from txmon.errors import FeedError, LocatedError, SourceLocation
from txmon.model.currencies import EXPONENTS
from txmon.model.schema import NEGATIVE_KINDS, RESOLUTIONS
from txmon.rules.yamlnode import YamlNode, parse_yaml
from txmon.streams.feed import (
    FIELD_TYPES,
    FORMATS,
    Bounds,
    Feed,
    Format,
    SourceField,
    Target,
)
from txmon.streams.feedtargets import Targets
from txmon.streams.iso8583spec import Spec, column_fault, read_spec
from txmon.streams.nestedfile import read_nested
from txmon.streams.paths import Nested

_KEYS = frozenset(
    (
        "name",
        "version",
        "doc",
        "native",
        "formats",
        "source",
        "base_currency",
        "time_resolution",
        "time_zone",
        "bounds",
        "fields",
        "columns",
        "attributes",
        "negative",
        "auth_is_final",
        "delimiter",
        "nested",
        "iso8583",
    )
)
_REQUIRED = ("name", "version", "doc", "formats", "time_resolution", "bounds")
_NAME = re.compile(r"[a-z][a-z0-9_-]{0,63}")
_FIELD = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")
_NEEDED = ("event_id", "event_time")
_DAY_US = 86_400_000_000


def shipped_directory() -> Path:
    """Return the folder of the feeds that ship: package data, else `streams/` of a checkout."""
    package = Path(txmon.__file__).parent
    packed = package / "_data" / "streams"
    return packed if packed.is_dir() else package.parent / "streams"


def shipped_feeds() -> list[Path]:
    """Return the feed files that ship, by name."""
    # asyncapi.yaml beside them is the contract of the service, not a feed
    return sorted(p for p in shipped_directory().glob("*.yaml") if p.stem != "asyncapi")


def load_feed(name: str | Path) -> Feed:
    """Load a feed that ships by its name, or any feed by the path of its file.

    Raises:
        FeedError: the first error of the file, or no such feed.
    """
    path = Path(name)
    if path.suffix not in (".yaml", ".yml"):
        path = shipped_directory() / f"{name}.yaml"
        if not _NAME.fullmatch(str(name)) or not path.is_file():
            known = ", ".join(p.stem for p in shipped_feeds())
            raise FeedError(f"no such feed; there are {known}, or give a path", SourceLocation(str(name)))
    feed, errors = read_feed(path)
    if feed is None:
        raise errors[0]
    return feed


def read_feed(path: Path) -> tuple[Feed | None, list[FeedError]]:
    """Read a feed file; return it, or None and everything wrong with it in order of place."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        return None, [FeedError(f"cannot be read as UTF-8 text: {error}", SourceLocation(str(path)))]
    root, found = parse_yaml(text, str(path))
    errors = [_as_feed_error(e) for e in found]
    if root is None or errors:
        return None, errors
    if root.kind != "map":
        return None, [_as_feed_error(root.error("a feed file is a mapping of keys"))]
    loader = _Loader(path, root)
    feed = loader.feed(hashlib.sha256(text.encode("utf-8")).hexdigest())
    return (None, sorted(loader.errors, key=lambda e: e.source)) if loader.errors else (feed, [])


def _as_feed_error(error: LocatedError) -> FeedError:
    return FeedError(error.detail, error.source)


class _Loader:
    """Checks one document and collects its errors."""

    def __init__(self, path: Path, root: YamlNode) -> None:
        self._path, self._root = path, root
        self.errors: list[FeedError] = []

    def feed(self, content_hash: str) -> Feed:
        """Build the feed; it is only valid if `errors` stays empty."""
        root = self._root
        for key, _ in root.entries:
            if key.text not in _KEYS:
                self._error(key, f"unknown key {key.text}; keys are {', '.join(sorted(_KEYS))}")
        for name in _REQUIRED:
            if name not in root.index:
                self._error(root, f"key {name} is missing")
        name = self._text("name", _NAME.fullmatch, "lower-case letters, digits, - and _")
        if name and self._path.stem != name:
            self._error(root.index["name"], f"name {name} must be that of the file, {self._path.stem}")
        native = self._flag("native")
        fields = self._fields()
        targets = Targets(fields, self._error)
        columns = targets.columns(root.index.get("columns"))
        attributes = targets.attributes(root.index.get("attributes"))
        nested = self._nested(fields)
        spec = self._spec(fields)
        self._shape(native, columns)
        return Feed(
            name=name,
            version=self._version(),
            doc=self._text("doc"),
            path=str(self._path),
            formats=self._formats(),
            source=self._text("source", default=name),
            base_currency=self._text("base_currency", EXPONENTS.__contains__, "an ISO 4217 code") or None,
            time_resolution=self._text("time_resolution", RESOLUTIONS.__contains__, ", ".join(RESOLUTIONS)),
            time_zone=self._text("time_zone", available_timezones().__contains__, "an IANA zone", "UTC"),
            bounds=self._bounds(),
            native=native,
            fields=fields,
            columns=columns,
            attributes=attributes,
            negative=self._text("negative", NEGATIVE_KINDS.__contains__, ", ".join(NEGATIVE_KINDS)) or None,
            auth_is_final=self._flag("auth_is_final"),
            delimiter=self._text("delimiter", lambda t: len(t) == 1, "one character", ","),
            content_hash=content_hash,
            nested=nested,
            iso8583=spec,
        )

    def _error(self, node: YamlNode, detail: str, offset: int | None = None) -> None:
        found = node.error(detail) if offset is None else node.error_at(offset, detail)
        self.errors.append(_as_feed_error(found))

    def _text(
        self, key: str, check: Callable[[str], object] | None = None, what: str = "", default: str = ""
    ) -> str:
        node = self._root.index.get(key)
        if node is None:
            return default
        if node.kind != "scalar" or not node.text:
            self._error(node, f"{key} must be text")
        elif check is not None and not check(node.text):
            self._error(node, f"{key} '{node.text}' is not {what}")
        return node.text.strip()

    def _flag(self, key: str) -> bool:
        node = self._root.index.get(key)
        if node is not None and not isinstance(node.value, bool):
            self._error(node, f"{key} must be true or false")
        return node is not None and node.value is True

    def _version(self) -> int:
        node = self._root.index.get("version")
        if node is None or (
            isinstance(node.value, int) and not isinstance(node.value, bool) and node.value > 0
        ):
            return 0 if node is None else node.value
        self._error(node, "version must be a whole number from 1")
        return 0

    def _formats(self) -> tuple[Format, ...]:
        node = self._root.index.get("formats")
        if node is None:
            return ()
        if node.kind != "seq" or not node.items:
            self._error(node, f"formats must be a list of {', '.join(FORMATS)}")
        for item in node.items:
            if item.text not in FORMATS:
                self._error(item, f"format {item.text} is none of {', '.join(FORMATS)}")
        return tuple(f for item in node.items for f in FORMATS if f == item.text)

    def _bounds(self) -> Bounds:
        node = self._root.index.get("bounds")
        if node is None or node.kind != "map":
            if node is not None:
                self._error(node, "bounds must be {amount_max, time_from, time_to}")
            return Bounds(None, 0, 0)
        for key, _ in node.entries:
            if key.text not in ("amount_max", "time_from", "time_to"):
                self._error(key, f"unknown bound {key.text}; bounds are amount_max, time_from, time_to")
        limit = node.index.get("amount_max")
        amount = limit.value if limit is not None else None
        if amount is not None and (
            isinstance(amount, bool) or not isinstance(amount, (int, Decimal)) or amount <= 0
        ):
            self._error(limit or node, "amount_max must be a positive number of major units")
            amount = None
        first, last = self._day(node, "time_from"), self._day(node, "time_to")
        if first >= last and {"time_from", "time_to"} <= set(node.index):
            self._error(node, "time_from must be before time_to")
        return Bounds(
            None if amount is None else Decimal(amount), first * _DAY_US, last * _DAY_US + _DAY_US - 1
        )

    def _day(self, node: YamlNode, key: str) -> int:
        found = node.index.get(key)
        if found is None:
            self._error(node, f"bound {key} is missing; give a date, YYYY-MM-DD")
            return 0
        try:
            return (dt.date.fromisoformat(found.text) - dt.date(1970, 1, 1)).days
        except ValueError:
            self._error(found, f"{key} '{found.text}' is not a date, YYYY-MM-DD")
            return 0

    def _fields(self) -> dict[str, SourceField]:
        node = self._root.index.get("fields")
        if node is None:
            return {}
        if node.kind != "map":
            self._error(node, "fields must be a mapping of column to type")
        fields: dict[str, SourceField] = {}
        for key, value in node.entries:
            kind = value.text.removesuffix("?")
            if not _FIELD.fullmatch(key.text):
                self._error(key, "a field name is letters, digits and _")
            elif kind not in FIELD_TYPES:
                self._error(
                    value, f"type '{value.text}' is none of {', '.join(FIELD_TYPES)} (add ? if optional)"
                )
            else:
                fields[key.text] = SourceField(key.text, kind, value.text.endswith("?"))
        return fields

    def _nested(self, fields: dict[str, SourceField]) -> Nested | None:
        node = self._root.index.get("nested")
        formats = self._root.index.get("formats")
        if node is None:
            if formats is not None and any(f.text == "xml" for f in formats.items):
                self._error(formats, "format xml needs nested, which says where the fields are")
            return None
        return read_nested(node, fields, self._error)

    def _spec(self, fields: dict[str, SourceField]) -> Spec | None:
        node = self._root.index.get("iso8583")
        if node is None:
            return None
        for name in fields:
            fault = column_fault(name)
            if fault is not None:
                self._error(self._root.index["fields"].key_node(name), fault)
        try:
            return read_spec(self._path.parent / node.text)
        except ValueError as error:
            self._error(node, str(error))
            return None

    def _shape(self, native: bool, columns: dict[str, Target]) -> None:
        root = self._root
        given = [k for k in ("fields", "columns", "attributes", "nested") if k in root.index]
        if native and given:
            self._error(root.key_node(given[0]), f"a native feed has no {given[0]}")
        if native or self.errors:
            return
        for name in _NEEDED:
            if name not in columns:
                self._error(root.index.get("columns", root), f"column {name} is missing")
