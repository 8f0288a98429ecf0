"""What a file is that somebody wants to attach: PDF, CSV, plain text or an e-mail, or it is not taken.

The content decides, the name has to agree. Images, video, archives, scripts and what may hide them are
refused wherever they are: whoever holds pictures of abuse has a duty to report them, and a copy in a case
file is a crime in most countries. Owns the decision; stores nothing.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from email import message_from_bytes, policy
from email.message import EmailMessage

from txmon.cases import pdf
from txmon.errors import InputError
from txmon.model import magic
from txmon.model.pictures import DUTY
from txmon.model.webtext import has_address

SIZE_MAX = 8 << 20
EXTENSIONS = {"pdf": "pdf", "csv": "csv", "txt": "text", "eml": "email"}
_NAME = re.compile(
    r"[^\x00-\x1f\x7f/\\:*?\"<>|.][^\x00-\x1f\x7f/\\:*?\"<>|]{0,120}\.(pdf|csv|txt|eml)", re.IGNORECASE
)
_OTHER = re.compile(
    r"\.(?:jpe?g|png|gif|webp|bmp|tiff?|heic|avif|svg|mp4|mov|avi|mkv|webm|zip|rar|7z|gz|tar|exe|js|vbs|ps1|bat|"
    r"cmd|sh|html?|docx?|xlsx?|iso|scr|lnk)\b",
    re.IGNORECASE,
)
_CONTROL = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_INVISIBLE = re.compile("[\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufff0-\uffff\U000e0000-\U000e007f]")
_FORMULA = re.compile(r"\s*[=@\t\r＝＠]|\s*[+＋－-]\s*[A-Za-z(]")
_DELIMITERS = ";\t|"  # a spreadsheet takes the one that is usual where it runs
_HEADERS = ("from", "to", "subject", "date", "message-id", "received", "return-path")
_PARTS_MAX, _HEAD_MAX = 50, 64 << 10


def kind_of(name: str, content: bytes) -> str:
    """Return what a file is: ``pdf``, ``csv``, ``text`` or ``email``.

    Raises:
        InputError: it is anything else, or hides something; the text names the duty to report.
    """
    match = _NAME.fullmatch(name)
    if match is None or _OTHER.search(name[: match.start(1)]):
        raise InputError(
            f"a file is named like statement.pdf, .csv, .txt or .eml, with no other ending; {DUTY}"
        )
    if not content or len(content) > SIZE_MAX:
        raise InputError(f"a file has 1 to {SIZE_MAX:,} bytes; {DUTY}")
    kind = EXTENSIONS[match[1].lower()]
    fault = _FAULTS[kind](content)
    if fault is not None:
        raise InputError(f"the file is or holds {fault}; {DUTY}")
    return kind


def addresses_in(kind: str, content: bytes) -> bool:
    """Whether a file has addresses of the web in it."""
    if kind == "pdf":
        return pdf.addresses_in(content)
    texts = [content] if kind != "email" else [part for _, part in _parts(_message(content))]
    return any(has_address(each.decode("utf-8", "replace")) for each in texts)


def _pdf(content: bytes) -> str | None:
    if not content.startswith(b"%PDF-"):
        return magic.kind_of(content) or "no PDF"
    return pdf.fault_of(content)


def _text(content: bytes) -> str | None:
    found = magic.kind_of(content)
    if found is not None:
        return found
    if _CONTROL.search(content):
        return "bytes that are no text"
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return "text that is not UTF-8"
    if len(_INVISIBLE.findall(text)) > 8:
        return "text that is not shown"
    return magic.in_text(content)


def _csv(content: bytes) -> str | None:
    found = _text(content)
    if found is not None:
        return found
    lines = content.decode("utf-8-sig").splitlines()
    try:
        rows = list(csv.reader(lines, strict=True))
    except csv.Error:
        return "no CSV"
    cells = [cell for row in rows for cell in row]
    for mark in _DELIMITERS:
        cells += [cell for row in csv.reader(lines, delimiter=mark) for cell in row]
    return "a formula" if any(_FORMULA.match(cell) for cell in cells) else None


def _email(content: bytes) -> str | None:
    found = magic.kind_of(content)
    if found is not None:
        return found
    head = re.split(rb"\r?\n\r?\n", content, maxsplit=1)[0]
    if _CONTROL.search(head):
        return "bytes that are no text"
    if len(head) > _HEAD_MAX or magic.in_letters(head):
        return "encoded bytes"
    message = _message(content)
    if sum(name in message for name in _HEADERS) < 2:
        return "no e-mail"
    return _message_fault(message)


def _message(content: bytes) -> EmailMessage:
    found = message_from_bytes(content, policy=policy.default)
    assert isinstance(found, EmailMessage)
    return found


def _message_fault(message: EmailMessage) -> str | None:
    if sum(1 for _ in message.walk()) > _PARTS_MAX:
        return pdf.UNREAD
    for part in message.walk():
        if part.defects:
            return pdf.UNREAD
        for text in (part.preamble, part.epilogue):
            if text and text.strip() and _text(text.encode("utf-8", "surrogateescape")) is not None:
                return "something beside its parts"
    for kind, body in _parts(message):
        fault = _part_fault(kind, body)
        if fault is not None:
            return fault
    return None


def _parts(message: EmailMessage) -> Iterator[tuple[str, bytes]]:
    """The parts that hold bytes: their declared type, and what they hold."""
    for part in message.walk():
        if part.is_multipart():
            continue
        body = part.get_payload(decode=True)
        yield part.get_content_type(), body if isinstance(body, bytes) else b""


def _part_fault(kind: str, body: bytes) -> str | None:
    if body.startswith(b"%PDF-"):
        return _pdf(body)
    if kind == "text/csv":
        return _csv(body)
    if kind in ("text/plain", "text/html", "application/pdf", "application/octet-stream"):
        found = magic.kind_of(body)
        if found is not None or kind.startswith("application/"):
            return found or "another file"
        plain = body.decode("utf-8", "replace") if _is_utf8(body) else body.decode("latin-1")
        text = plain.encode()
        # the letters of a message may be marked up; what the markup shows or runs may not be there
        bare = re.sub(rb"(?i)<html|<!doctype", b"<", text) if kind == "text/html" else text
        return _text(bare)
    return f"a part of type {kind.partition('/')[0]}" if kind.isascii() else "another file"


def _is_utf8(body: bytes) -> bool:
    try:
        body.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


_FAULTS = {"pdf": _pdf, "csv": _csv, "text": _text, "email": _email}
