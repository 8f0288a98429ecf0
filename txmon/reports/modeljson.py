"""The report model as JSON: strict, versioned, in and out.

``{"version": 1, "report": {...}}``. Decimals and times are text (``"12.50"``, ``"2026-01-05T12:00:00Z"``),
money is ``{"minor": 1250, "currency": "EUR"}``. A field that is unknown, missing or of another type is
refused with its path and the remedy; all of them at once. Values are never repeated in an error: they may be
personal.
"""

from __future__ import annotations

import dataclasses
import difflib
import json
import re
import types
import typing
from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from functools import cache
from typing import Any, TypeVar

from txmon.errors import InputError
from txmon.reports.model import VERSION, Report

MAX_FAULTS = 100
MAX_BYTES = 64 * 2**20
_RFC3339 = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d{1,6})?(Z|[+-]\d{2}:\d{2})")
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_DECIMAL = re.compile(r"-?\d{1,20}(\.\d{1,20})?")
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
_MISSING = object()
_T = TypeVar("_T")


class ReportModelError(InputError):
    """A report's JSON is not of the model; `faults` are all of them, each with its field and remedy."""

    code = "report_model"
    status = 422

    def __init__(self, faults: list[str]) -> None:
        self.faults = tuple(faults)
        super().__init__("\n".join(faults))


class _Duplicate(ValueError):
    """A key that stands twice in one object."""


def dumps(report: Report) -> bytes:
    """Return a report as UTF-8 JSON, fields in the model's order, two blanks of indentation."""
    document = {"version": VERSION, "report": _out(report)}
    return json.dumps(document, ensure_ascii=False, indent=2).encode() + b"\n"


def loads(text: bytes | str) -> Report:
    """Return the report of a JSON text.

    Raises:
        ReportModelError: it is not JSON, of another version, or a field is wrong.
    """
    if len(text) > MAX_BYTES:
        raise ReportModelError([f"report: is longer than {MAX_BYTES} bytes; attachments stay outside"])
    try:
        document = json.loads(text, object_pairs_hook=_pairs, parse_float=Decimal)
    except _Duplicate as error:
        raise ReportModelError([f"{error}: stands twice in one object; keep one"]) from error
    except UnicodeDecodeError as error:
        raise ReportModelError([f"report: byte {error.start} is no UTF-8; save the file as UTF-8"]) from error
    except (json.JSONDecodeError, RecursionError) as error:
        place = f"line {error.lineno}" if isinstance(error, json.JSONDecodeError) else "nesting"
        raise ReportModelError([f"report: not JSON ({place}); mend that place"]) from error
    if not isinstance(document, dict) or set(document) != {"version", "report"}:
        raise ReportModelError(['report: the outermost object must be {"version": 1, "report": {...}}'])
    if document["version"] != VERSION or isinstance(document["version"], bool):
        raise ReportModelError(
            [f"version: only version {VERSION} can be read; upgrade txmon, or write the report anew"]
        )
    faults: list[str] = []
    found = _read(document["report"], Report, "", faults)
    if faults:
        more = len(faults) - MAX_FAULTS
        raise ReportModelError(faults[:MAX_FAULTS] + ([f"and {more} more"] if more > 0 else []))
    assert isinstance(found, Report)
    return found


def read_part(value: Any, kind: type[_T]) -> _T:
    """Return parsed JSON as a part of the model, as strictly as a whole report.

    Raises:
        ReportModelError: a field is wrong.
    """
    faults: list[str] = []
    found = _read(value, kind, "", faults)
    if faults:
        raise ReportModelError(faults[:MAX_FAULTS])
    assert isinstance(found, kind)
    return found


def part_of(value: Any) -> Any:
    """Return a part of the model as it stands in JSON; the other way round is `read_part`."""
    return _out(value)


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    out: dict[str, Any] = {}
    for key, value in pairs:
        if key in out:
            raise _Duplicate(key)
        out[key] = value
    return out


def _out(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: _out(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, tuple):
        return [_out(item) for item in value]
    if isinstance(value, Mapping):
        return {key: _out(item) for key, item in value.items()}
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Decimal):
        return f"{value:f}"
    return value.value if isinstance(value, StrEnum) else value


@cache
def _hints(kind: type) -> dict[str, Any]:
    return typing.get_type_hints(kind)


def _read(value: Any, kind: Any, path: str, faults: list[str]) -> Any:
    """Return `value` as `kind`; what is wrong is added to `faults` and gives None."""
    origin, args = typing.get_origin(kind), typing.get_args(kind)
    if origin is types.UnionType:
        return None if value is None else _read(value, args[0], path, faults)
    if origin is tuple:
        if not isinstance(value, list):
            return _fault(faults, path, "must be a list", "write [] for none")
        return tuple(_read(item, args[0], f"{path}[{i}]", faults) for i, item in enumerate(value))
    if origin is Mapping:
        if not isinstance(value, dict):
            return _fault(faults, path, "must be an object", "write {} for none")
        return {key: _read(item, args[1], f"{path}.{key}", faults) for key, item in value.items()}
    if dataclasses.is_dataclass(kind):
        return _read_object(value, kind, path, faults)
    return _read_plain(value, kind, path, faults)


def _read_object(value: Any, kind: Any, path: str, faults: list[str]) -> Any:
    if not isinstance(value, dict):
        return _fault(faults, path, "must be an object", f"give its fields, as {kind.__name__} has them")
    fields = {f.name: f for f in dataclasses.fields(kind)}
    for name in value:
        if name not in fields:
            near = difflib.get_close_matches(name, fields, 1)
            remedy = f"did you mean {near[0]}?" if near else f"known here: {', '.join(fields)}"
            _fault(faults, _join(path, name), "is no field of the model", remedy)
    out: dict[str, Any] = {}
    before = len(faults)
    for name, declared in fields.items():
        item = value.get(name, _MISSING)
        if item is not _MISSING:
            out[name] = _read(item, _hints(kind)[name], _join(path, name), faults)
        elif declared.default is dataclasses.MISSING and declared.default_factory is dataclasses.MISSING:
            _fault(faults, _join(path, name), "is missing", "give it")
    return None if len(faults) > before else kind(**out)


def _read_plain(value: Any, kind: Any, path: str, faults: list[str]) -> Any:
    if kind is bool:
        return value if isinstance(value, bool) else _fault(faults, path, "must be true or false", "unquoted")
    if kind is int:
        whole = isinstance(value, int) and not isinstance(value, bool) and abs(value) <= 10**15
        remedy = "money is in minor units, at most 10^15"
        return value if whole else _fault(faults, path, "must be a whole number", remedy)
    if not isinstance(value, str):
        remedy = 'put it in quotes, "" or null where there is none'
        return _fault(faults, path, "must be text", remedy)
    if _CONTROL.search(value):
        return _fault(faults, path, "has control characters", "take them out; line breaks and tabs may stay")
    try:
        return _parse(value, kind)
    except (ValueError, InvalidOperation):
        return _fault(faults, path, *_expected(kind))


def _parse(value: str, kind: Any) -> Any:
    if kind is str:
        return value
    if kind is datetime:
        if not _RFC3339.fullmatch(value):
            raise ValueError
        return datetime.fromisoformat(value).astimezone(UTC)
    if kind is date:
        if not _DATE.fullmatch(value):
            raise ValueError
        return date.fromisoformat(value)
    if kind is Decimal:
        if not _DECIMAL.fullmatch(value):
            raise ValueError
        return Decimal(value)
    return kind(value)


def _expected(kind: Any) -> tuple[str, str]:
    if kind is datetime:
        return "is no time", "write it as 2026-01-05T12:00:00Z"
    if kind is date:
        return "is no date", "write it as 2026-01-05"
    if kind is Decimal:
        return "is no decimal number", 'write it as "12.50", at most 20 digits on each side'
    return "is none of the values", f"use one of {', '.join(item.value for item in kind)}"


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _fault(faults: list[str], path: str, what: str, remedy: str) -> None:
    faults.append(f"{path or 'report'}: {what}; {remedy}")
