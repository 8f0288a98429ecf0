"""FINTRAC's report judged by its text alone: form first, then what values mean together.

A finding never repeats a value.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from datetime import date
from decimal import Decimal
from typing import Any

from txmon.reports import fintrac_codes as codes
from txmon.reports.fintrac_shape import fields
from txmon.reports.fintrac_values import day, fault
from txmon.reports.formats import Finding, Level
from txmon.reports.victimwords import called_victim, plain, told

_DEFINED = {kind: f"Definition{kind}" for kind in range(1, 7)}
_WRONG_TYPE = "is not of the type that stands here"


def findings_of(text: bytes, *, today: date | None = None, protected: Collection[str] = ()) -> list[Finding]:
    """Return every fault of a report.

    Args:
        today: the day of checking; nothing may lie after it
        protected: names of possible victims, who must not be defined as taking part
    """
    try:
        document = json.loads(text, object_pairs_hook=_once, parse_float=Decimal)
    except (ValueError, UnicodeDecodeError, RecursionError):
        return [_error("json", "report", "is not JSON, or has a field twice", "write the file anew")]
    found = list(_object("", document, "Report"))
    if any(f.code in ("fintrac_type", "fintrac_missing") for f in found):
        return found  # what means something together is judged when all of it is there
    found += _suspicion(document)
    found += _references(document)
    for index, transaction in enumerate(document["transactions"]):
        found += _transaction(f"transactions[{index}]", transaction, today)
    found += _repeated(document)
    found += _victims(document, protected)
    return found


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len({name for name, _ in pairs}) != len(pairs):
        raise ValueError("a field stands twice")
    return dict(pairs)


def _error(code: str, path: str, message: str, remedy: str, level: Level = Level.ERROR) -> Finding:
    return Finding(code=f"fintrac_{code}", path=path, message=message, remedy=remedy, level=level)


def _object(path: str, value: Any, shape: str) -> Iterator[Finding]:
    """Judge an object and all in it."""
    if not isinstance(value, dict):
        yield _error("type", path or "report", _WRONG_TYPE, "give an object")
        return
    if shape == "Definition":
        kind = value.get("typeCode")
        shape = _DEFINED.get(kind, "Definition1") if isinstance(kind, int) else "Definition1"
    elif shape == "Address":
        shape = "Address2" if value.get("typeCode") == 2 else "Address1"
    known = fields(shape)
    for name in value.keys() - known.keys():
        yield _error("unknown_field", _at(path, name), "has no place here", "remove it")
    for name, field in known.items():
        place = _at(path, name)
        if name not in value:
            if field.required:
                yield _error("missing", place, "is missing", "give it; a list may be empty")
        elif field.many != isinstance(value[name], list):
            yield _error("type", place, _WRONG_TYPE, "give a list" if field.many else "give one value")
        else:
            for index, one in enumerate(value[name] if field.many else [value[name]]):
                yield from _value(f"{place}[{index}]" if field.many else place, one, field.kind)


def _value(path: str, value: Any, kind: str) -> Iterator[Finding]:
    if kind.startswith(">"):
        yield from _object(path, value, kind[1:])
        return
    wrong = fault(kind, value)
    if wrong is not None:
        code = "length" if "characters" in wrong else "code_list" if "list" in wrong else "value"
        yield _error(code, path, wrong, "correct it")


def _at(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _suspicion(document: Mapping[str, Any]) -> Iterator[Finding]:
    said = document["detailsOfSuspicion"]
    for name in ("descriptionOfSuspiciousActivity", "suspicionTypeCode"):
        if name not in said:
            yield _error("missing", f"detailsOfSuspicion.{name}", "is missing", "give it")
    if not document.get("actionTaken", {}).get("description"):
        yield _error("missing", "actionTaken.description", "is missing", "say what was done as a result")
    if not document["transactions"]:
        yield _error("missing", "transactions", "holds no transaction", "give at least one, or an attempt")
    text = said.get("descriptionOfSuspiciousActivity", "")
    for code in said["publicPrivatePartnershipProjectNameCodes"]:
        if code in codes.HASHTAGS and codes.HASHTAGS[code].casefold() not in text.casefold():
            yield _error("hashtag", "detailsOfSuspicion.descriptionOfSuspiciousActivity",
                         f"lacks {codes.HASHTAGS[code]}", "add it", Level.WARNING)  # fmt: skip
    details = document["reportDetails"]
    update = details["submitTypeCode"] != codes.SUBMIT
    if update and document["relatedReports"]:
        yield _error("related", "relatedReports", "an update replaces its report and relates to none",
                     "leave it empty", Level.WARNING)  # fmt: skip


def _references(document: Mapping[str, Any]) -> Iterator[Finding]:
    """Each reference has one definition of its type; each definition is used."""
    defined: dict[str, int] = {}
    for index, one in enumerate(document["definitions"]):
        if one["refId"] in defined:
            yield _error("reference", f"definitions[{index}].refId", "is another definition's", "use it once")
        defined[one["refId"]] = one["typeCode"]
        yield from _definition(f"definitions[{index}]", one)
    used = set()
    for path, one in _walk("transactions", document["transactions"]):
        if "refId" in one and "typeCode" in one:
            used.add(one["refId"])
            if defined.get(one["refId"]) != one["typeCode"]:
                yield _error("reference", f"{path}.refId", "has no definition of this type", "define it")
    for index, one in enumerate(document["definitions"]):
        if one["refId"] not in used:
            yield _error("reference", f"definitions[{index}].refId", "is used nowhere", "remove it",
                         Level.WARNING)  # fmt: skip


def _definition(path: str, one: Mapping[str, Any]) -> Iterator[Finding]:
    named = (
        one.get("nameOfEntity") if one["typeCode"] % 2 == 0 else one.get("surname") or one.get("givenName")
    )
    if not named:
        yield _error("name", path, "has no name", "name who it is, or leave them out")
    if ("address" in one) != ("addressTypeCode" in one) or (
        "address" in one and one["address"]["typeCode"] != one["addressTypeCode"]
    ):
        yield _error("address", f"{path}.address", "is not of its stated type", "state the type that it has")
    other = codes.ENTITY_DOCUMENT_OTHER if one["typeCode"] % 2 == 0 else codes.PERSON_DOCUMENT_OTHER
    for index, document in enumerate(one.get("identifications", [])):
        if (document.get("identifierTypeCode") == other) != ("identifierTypeOther" in document):
            yield _error("other_text", f"{path}.identifications[{index}].identifierTypeOther",
                         "other and its text go together", "give both or none")  # fmt: skip
    registered = one.get("registrationIncorporationIndicator")
    if registered is not None and registered != bool(one["registrationsIncorporations"]):
        yield _error("indicator", f"{path}.registrationIncorporationIndicator",
                     "does not say whether a registration is given", "let them agree")  # fmt: skip


def _transaction(path: str, one: Mapping[str, Any], today: date | None) -> Iterator[Finding]:
    details = one["suspiciousTransactionDetails"]
    at = f"{path}.suspiciousTransactionDetails"
    attempted = details["attemptedTransactionIndicator"]
    wanted = ["dateOfTransaction", "methodCode"] if not attempted else ["reasonNotCompleted"]
    for name in wanted:
        if name not in details:
            yield _error("missing", f"{at}.{name}", "is missing", "give it")
    if not attempted and "reasonNotCompleted" in details:
        yield _error("attempt", f"{at}.reasonNotCompleted", "is of an attempt only", "remove it")
    done, posted = day(details.get("dateOfTransaction")), day(details.get("dateOfPosting"))
    if done and posted and posted < done:
        yield _error("date", f"{at}.dateOfPosting", "lies before the transaction", "correct it")
    for name, when in (("dateOfTransaction", done), ("dateOfPosting", posted)):
        if when and today and when > today:
            yield _error("date", f"{at}.{name}", "lies in the future", "correct it")
    if not one["startingActions"]:
        yield _error("missing", f"{path}.startingActions", "says not what started it", "give one action")
    if not attempted and not one["completingActions"]:
        yield _error("missing", f"{path}.completingActions", "says not how it ended", "give one action")
    yield from _others(path, one)
    for index, action in enumerate(one["startingActions"]):
        yield from _starting(f"{path}.startingActions[{index}]", action, attempted)
    for index, action in enumerate(one["completingActions"]):
        yield from _completing(f"{path}.completingActions[{index}]", action)


def _starting(path: str, action: Mapping[str, Any], attempted: bool) -> Iterator[Finding]:
    details = action["details"]
    for name in ("direction", "fundAssetVirtualCurrencyTypeCode"):
        if name not in details and not attempted:
            yield _error("missing", f"{path}.details.{name}", "is missing", "give it")
    yield from _amount(f"{path}.details", details, attempted)
    taken = codes.FUNDS_IN if details.get("direction") == codes.IN else codes.FUNDS_OUT
    funds = details.get("fundAssetVirtualCurrencyTypeCode")
    if funds in codes.CODES["funds"] and funds not in taken:
        yield _error("funds", f"{path}.details.fundAssetVirtualCurrencyTypeCode",
                     "does not go in this direction", "use a kind of funds of the direction")  # fmt: skip
    sources = bool(action["sourcesOfFundsOrVirtualCurrency"])
    yield from _says(f"{path}.details", details, "sourcesOfFundsOrVirtualCurrencyIndicator", sources)
    yield from _says(f"{path}.details", details, "conductorIndicator", bool(action["conductors"]))
    for index, one in enumerate(action["conductors"]):
        at = f"{path}.conductors[{index}].details"
        yield from _says(at, one["details"], "onBehalfOfIndicator", bool(one["onBehalfOfs"]))


def _completing(path: str, action: Mapping[str, Any]) -> Iterator[Finding]:
    details = action["details"]
    if "dispositionCode" not in details:
        yield _error("missing", f"{path}.details.dispositionCode", "is missing", "say where the funds went")
    yield from _amount(f"{path}.details", details, False)
    yield from _says(f"{path}.details", details, "involvementIndicator", bool(action["involvements"]))
    yield from _says(f"{path}.details", details, "beneficiaryIndicator", bool(action["beneficiaries"]))


def _amount(path: str, details: Mapping[str, Any], attempted: bool) -> Iterator[Finding]:
    if "amount" not in details and not attempted:
        yield _error("missing", f"{path}.amount", "is missing", "give it")
    if "amount" in details and not ("currencyCode" in details or "virtualCurrencyTypeCode" in details):
        yield _error("missing", f"{path}.currencyCode", "is missing", "give the currency of the amount")


def _says(path: str, details: Mapping[str, Any], name: str, holds: bool) -> Iterator[Finding]:
    if details.get(name) is not holds:
        yield _error("indicator", f"{path}.{name}", "does not say what the list beside it says",
                     f"set it to {str(holds).lower()}")  # fmt: skip


def _others(path: str, transaction: Mapping[str, Any]) -> Iterator[Finding]:
    for at, one in _walk(path, transaction):
        for name, (code, text) in codes.OTHER.items():
            if (one.get(name) == code) != (text in one):
                yield _error("other_text", f"{at}.{text}", "other and its text go together",
                                 "give both or none")  # fmt: skip
        if "holders" in one and "number" not in one:
            yield _error("account", f"{at}.number", "is missing", "give the number of the account")
        opened, closed = day(one.get("dateOpened")), day(one.get("dateClosed"))
        if opened and closed and closed < opened:
            yield _error("date", f"{at}.dateClosed", "lies before the opening", "correct it")


def _repeated(document: Mapping[str, Any]) -> Iterator[Finding]:
    name = "reportingEntityTransactionReference"
    told = [t["suspiciousTransactionDetails"].get(name) for t in document["transactions"]]
    counts = Counter(r for r in told if r is not None)
    for index, reference in enumerate(told):
        if counts[reference] > 1:
            yield _error("duplicate", f"transactions[{index}].suspiciousTransactionDetails.{name}",
                         "is another transaction's", "give each its own")  # fmt: skip


def _victims(document: Mapping[str, Any], protected: Collection[str]) -> Iterator[Finding]:
    """Nobody who may be a victim is defined as taking part."""
    text = document["detailsOfSuspicion"].get("descriptionOfSuspiciousActivity", "")
    said, known = told(text), {plain(n) for n in protected} - {""}
    for index, one in enumerate(document["definitions"]):
        ways = {plain(w) for w in _ways(one)}
        if ways & known or any(" " in w and called_victim(w, said) for w in ways):
            yield _error("victim", f"definitions[{index}]", "a possible victim is named as taking part",
                         "leave them out, and tell of them in the description")  # fmt: skip


def _ways(one: Mapping[str, Any]) -> Iterator[str]:
    given, last = one.get("givenName", ""), one.get("surname", "")
    yield f"{given} {last}"
    yield f"{given} {one.get('otherNameInitial', '')} {last}"
    yield f"{last} {given}"
    yield one.get("nameOfEntity", "")
    yield one.get("alias", "")
    for document in one.get("identifications", []):
        yield document.get("number", "")


def _walk(path: str, value: Any) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Give every object below a value with its path."""
    if isinstance(value, dict):
        yield path, value
        for name, below in value.items():
            yield from _walk(f"{path}.{name}", below)
    elif isinstance(value, list):
        for index, below in enumerate(value):
            yield from _walk(f"{path}[{index}]", below)
