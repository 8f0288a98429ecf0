"""Data files of case work: neutral texts, signs to look for, organisations that support victims.

Each ships with the package and may be replaced as a whole by a file of whoever operates it. Owns their form;
a file that is wrong is refused with every fault in it, named by line. Nothing here contacts anybody.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Collection
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from txmon.errors import RuleError, RuleErrors
from txmon.rules.fields import Fields
from txmon.rules.yamlnode import YamlNode, read_yaml

_SHIPPED = Path(__file__).parent / "data"
_CODE = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")
_COUNTRY, _LANGUAGE = re.compile(r"[A-Z]{2}"), re.compile(r"[a-z]{2}")
_WEB = re.compile(r"https://[^\s\"<>]{3,400}")
_KINDS = ("helpline", "shelter", "legal", "medical", "hotline", "police", "other")
_ORGANISATION = frozenset(
    ("name", "countries", "kinds", "languages", "phone", "web", "e-mail", "hours", "for", "verified", "note")
)
_TEXT_MAX = 500


@dataclass(frozen=True)
class Sign:
    """A sign to look for."""

    id: str
    group: str
    text: str


@dataclass(frozen=True)
class Organisation:
    """Somebody who helps victims. verified: the day it was last checked."""

    name: str
    countries: tuple[str, ...]
    kinds: tuple[str, ...]
    languages: tuple[str, ...]
    phone: str | None
    web: str | None
    email: str | None
    hours: str | None
    serves: str | None
    verified: dt.date
    note: str | None


@cache
def neutral_texts(path: Path | None = None) -> dict[str, str]:
    """Return the neutral texts by code.

    Raises:
        RuleErrors: the file is wrong.
    """
    errors: list[RuleError] = []
    node = _root(path or _SHIPPED / "texts.yaml", "texts", "map", errors)
    found: dict[str, str] = {}
    for key, value in node.entries if node is not None else ():
        if not _CODE.fullmatch(key.text):
            errors.append(key.error("a code has lower-case letters, digits and `-`, at most 64"))
        elif not isinstance(value.value, str) or not 0 < len(value.value) <= _TEXT_MAX:
            errors.append(value.error(f"a text has 1 to {_TEXT_MAX} characters"))
        else:
            found[key.text] = value.value
    _require(errors)
    return found


@cache
def signs(path: Path | None = None) -> tuple[Sign, ...]:
    """Return the signs, in the order of the file.

    Raises:
        RuleErrors: the file is wrong.
    """
    errors: list[RuleError] = []
    node = _root(path or _SHIPPED / "signs.yaml", "signs", "seq", errors)
    found: dict[str, Sign] = {}
    for item in node.items if node is not None else ():
        fields = Fields(item, errors, ("id", "group", "text"))
        fields.require("id", "group", "text")
        sign = Sign(fields.text("id"), fields.text("group"), fields.text("text"))
        if not _CODE.fullmatch(sign.id) or sign.id in found:
            fields.refuse(item, "`id` has lower-case letters, digits and `-`, and stands once")
        found[sign.id] = sign
    _require(errors)
    return tuple(found.values())


@cache
def organisations(path: Path | None = None) -> tuple[Organisation, ...]:
    """Return the organisations that support victims; none, unless a file of one's own names them.

    Raises:
        RuleErrors: the file is wrong.
    """
    errors: list[RuleError] = []
    node = _root(path or _SHIPPED / "support.yaml", "organisations", "seq", errors)
    found = [_organisation(item, errors) for item in (node.items if node is not None else ())]
    _require(errors)
    return tuple(found)


def check(texts: Path | None, checklist: Path | None, support: Path | None) -> None:
    """Read all files at the start of a service.

    Raises:
        RuleErrors: one is wrong.
    """
    neutral_texts(texts)
    signs(checklist)
    organisations(support)


def _organisation(item: YamlNode, errors: list[RuleError]) -> Organisation:
    fields = Fields(item, errors, _ORGANISATION)
    fields.require("name", "countries", "kinds", "verified")

    def words(key: str, form: re.Pattern[str] | None, known: Collection[str] = ()) -> tuple[str, ...]:
        nodes = fields.names(key)
        for node in nodes:
            if (form is not None and not form.fullmatch(node.text)) or (known and node.text not in known):
                fields.refuse(node, f"`{key}`: {'one of ' + ', '.join(known) if known else 'not a code'}")
        return tuple(node.text for node in nodes)

    def text(key: str) -> str | None:
        value = fields.text(key) or None
        if value is not None and len(value) > _TEXT_MAX:
            fields.refuse(item, f"`{key}` has at most {_TEXT_MAX} characters")
        return value

    phone, web, email = text("phone"), text("web"), text("e-mail")
    if not (phone or web or email):
        fields.refuse(item, "one of `phone`, `web` and `e-mail` is needed")
    if web is not None and not _WEB.fullmatch(web):
        fields.refuse(item, "`web` is an https address")
    countries, kinds = words("countries", _COUNTRY), words("kinds", None, _KINDS)
    if fields.get("countries") is not None and not countries:
        fields.refuse(item, "`countries` names one at least")
    try:
        verified = dt.date.fromisoformat(fields.text("verified") or "1970-01-01")
    except ValueError:
        fields.refuse(item, "`verified` is a date, YYYY-MM-DD")
        verified = dt.date(1970, 1, 1)
    languages = words("languages", _LANGUAGE)
    return Organisation(
        text("name") or "", countries, kinds, languages, phone, web, email, text("hours"), text("for"),
        verified, text("note"),
    )  # fmt: skip


def _root(path: Path, key: str, kind: str, errors: list[RuleError]) -> YamlNode | None:
    root, problems = read_yaml(path)
    errors.extend(problems)
    if root is None:
        return None
    fields = Fields(root, errors, (key,))
    fields.require(key)
    node = fields.get(key)
    if node is not None and node.kind != kind:
        fields.refuse(node, f"`{key}` is a {'list' if kind == 'seq' else 'mapping'}")
        return None
    return node


def _require(errors: list[RuleError]) -> None:
    if errors:
        raise RuleErrors(errors)
