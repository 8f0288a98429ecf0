"""The file of a subject-access export: JSON lines, CSV, a page to read, and a manifest.

The same content gives the same bytes. A file is whole or not there. Owns the form of the file; what is in it
is `txmon.store.subject`'s part.
"""

from __future__ import annotations

import csv
import io
import json
import os
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from html import escape
from pathlib import Path
from typing import Any

from txmon.clock import rfc3339
from txmon.errors import InputError
from txmon.store.subject import Subject

_SHOWN = (
    "event_time", "kind", "status", "amount_minor", "currency", "payer", "payee", "merchant", "descriptor",
    "memo",
)  # fmt: skip
_LEFT_OUT = "what the institution must not tell, and rows that could not be read as events"


@dataclass(frozen=True)
class Asked:
    """Who made an export, who agreed, and when (microseconds UTC)."""

    author: str
    approver: str
    now_us: int


def zip_of(found: Subject, asked: Asked) -> bytes:
    """Return the file."""
    files = {
        "events.jsonl": _lines(found.events),
        "events.csv": _csv(found.events),
        "index.html": _page(found, asked),
    }
    files |= {f"{name}.jsonl": _lines(rows) for name, rows in sorted(found.more.items())}
    manifest = {
        "subject": found.party, "own_identifiers": sorted(found.own), "made": rfc3339(asked.now_us),
        "author": asked.author, "approver": asked.approver,
        "events": len(found.events),
        "included": {name: len(rows) for name, rows in sorted(found.more.items())},
        "files": {name: sha256(content).hexdigest() for name, content in sorted(files.items())},
    }  # fmt: skip
    files["manifest.json"] = json.dumps(manifest, ensure_ascii=False, indent=1).encode()
    moment = datetime.fromtimestamp(asked.now_us // 1_000_000, UTC)
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in sorted(files):
            info = zipfile.ZipInfo(name, moment.timetuple()[:6])
            info.compress_type, info.external_attr = zipfile.ZIP_DEFLATED, 0o600 << 16
            archive.writestr(info, files[name])
    return target.getvalue()


def write_whole(path: Path, content: bytes) -> None:
    """Write a new file that only its owner may read: whole, or not at all.

    Raises:
        InputError: there is a file already, or none can be written.
    """
    part = path.with_name(f".{path.name}.part")
    try:
        if path.exists():
            raise InputError(f"{path} exists and is not replaced; name another file")
        file = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            with open(file, "wb") as opened:
                opened.write(content)
                opened.flush()
                os.fsync(opened.fileno())
            os.link(part, path)  # never over a file that came meanwhile
        finally:
            part.unlink(missing_ok=True)
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}; name another file by --out") from error


def _lines(rows: Sequence[Mapping[str, Any]]) -> bytes:
    return b"".join(json.dumps(row, ensure_ascii=False).encode() + b"\n" for row in rows)


def _csv(rows: Sequence[Mapping[str, Any]]) -> bytes:
    names = sorted({name for row in rows for name in row})
    names = [*(n for n in _SHOWN if n in names), *(n for n in names if n not in _SHOWN)]
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(names)
    for row in rows:
        writer.writerow([_cell(row.get(name)) for name in names])
    return text.getvalue().encode()


def _cell(value: Any) -> Any:
    """A value of CSV; text that a spreadsheet would run as a formula is marked as text."""
    if isinstance(value, (list, dict)):
        value = json.dumps(value, ensure_ascii=False)
    if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r"):
        return "'" + value
    return value


def _page(found: Subject, asked: Asked) -> bytes:
    heads = "".join(f"<th scope=col>{name.replace('_', ' ')}</th>" for name in _SHOWN)
    rows = "".join(
        "<tr>" + "".join(f"<td>{escape(str(row.get(name, '')))}</td>" for name in _SHOWN) + "</tr>\n"
        for row in found.events
    )
    own = ", ".join(escape(name) for name in sorted(found.own))
    included = ", ".join(sorted(found.more)) or "nothing besides events"
    return f"""<!doctype html>
<html lang=en><meta charset=utf-8><title>Data about you</title>
<style>body{{font:16px/1.5 sans-serif;margin:2em;max-width:80em}}table{{border-collapse:collapse}}
td,th{{border:1px solid #767676;padding:.3em .6em;text-align:left}}</style>
<h1>Data about you</h1>
<p>Made on {rfc3339(asked.now_us)}. Your identifiers: {own}. Events: {len(found.events)}.
Included: {included}.</p>
<p>Amounts are in the smallest unit of their currency. Others are called other-1, other-2 and so on.
Left out is {_LEFT_OUT}. <code>events.jsonl</code> and <code>events.csv</code> have every field.</p>
<table><thead><tr>{heads}</tr></thead><tbody>
{rows}</tbody></table></html>
""".encode()
