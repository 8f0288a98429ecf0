"""Redaction: what a bundle tells to whom, so that the rule still gives the same numbers.

Identities become pseudonyms that are equal where the identities are; free text and attributes that the
rules do not read go. Columns that the rules do read stay, since without them nothing could be derived
again. Pseudonyms are made with a secret of the signing key, for one alert and profile. Owns the profiles
and the change of tables.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from txmon.evidence.tables import EVENTS
from txmon.rules.sqltext import text as quoted

_ACCOUNTS = {"payer": "account", "payee": "account", "account": "account"}
_PEOPLE = {"card": "card", "device": "device", "ip": "ip", "party": "party", "terminal": "terminal"}
_SHOPS = {"merchant": "merchant", "sub_merchant": "merchant"}
_OUTSIDE = (
    "alert_id", "subject_type", "subject_id", "typologies", "severity", "score", "protect",
    "first_event_time", "last_event_time", "hit_count", "rule_ids", "entity", "mode", "explanation",
    "holders_first", "holders_latest",
)  # fmt: skip
_NAMES = {"event_id": "event", "related_event_id": "event", "source": "source", "entity": "entity"}
_TEXTS = ("memo", "descriptor", "city", "lat", "lon", "card_bin", "card_last4")


@dataclass(frozen=True)
class Profile:
    """Who a bundle is for.

    identities: columns that become pseudonyms, by the kind of what they name. subject: whether the alert's
    subject stays in the clear; always where `None`, with "protect" unless it may be a victim.
    """

    name: str
    told: str
    identities: Mapping[str, str] = field(default_factory=dict)
    subject: bool = True
    subject_if_protected: bool = True
    texts: bool = True  # free text that no rule reads
    staff: bool = True  # who worked on the alert
    whole_config: bool = False  # every rule of the institution, or those that hit


_OTHERS = {**_ACCOUNTS, **_PEOPLE}
PROFILES: dict[str, Profile] = {
    p.name: p
    for p in (
        Profile("internal", "everything, to be kept inside the institution", whole_config=True),
        Profile("police", "identities in the clear, only the rules that hit, staff by role", staff=False),
        Profile("court", "subject in the clear, the others by pseudonyms, no text that no rule reads",
                _OTHERS, texts=False, staff=False),
        Profile("clearing-house", "as court; a subject that may be a victim by a pseudonym, too",
                _OTHERS, subject_if_protected=False, texts=False, staff=False),
        Profile("public", "nobody in the clear, merchants and the institution neither",
                {**_OTHERS, **_SHOPS, **_NAMES}, subject=False, subject_if_protected=False, texts=False,
                staff=False),
    )
}  # fmt: skip
_KIND_OF_SUBJECT = {"payer": "account", "payee": "account", "account": "account"}


class Redaction:
    """One profile at work on one alert: the same identity gives the same pseudonym everywhere."""

    def __init__(self, profile: Profile, secret: bytes, alert: Mapping[str, Any], script: str) -> None:
        self.profile = profile
        self._secret = secret
        self._read = frozenset(re.findall(r"[a-z_][a-z0-9_]*", script))
        self._script = script
        clear = profile.subject_if_protected if alert["protect"] else profile.subject
        kind = _KIND_OF_SUBJECT.get(alert["subject_type"], alert["subject_type"])
        self._clear = {(kind, alert["subject_id"])} if clear else set()
        self._subject = (kind, str(alert["subject_id"]))
        self.known: dict[tuple[str, str], str] = {}

    def name(self, kind: str, value: str | None) -> str | None:
        """Return the pseudonym of an identity, or itself where it stays in the clear."""
        if value is None or (kind, value) in self._clear or kind not in self.profile.identities.values():
            return value
        found = self.known.get((kind, value))
        if found is None and self._listed(value):
            return value
        if found is None:
            told = f"{kind}\x1f{value}".encode()
            digest = hmac.new(self._secret, told, hashlib.sha256).hexdigest()
            found = self.known[kind, value] = f"{kind}-{digest[:16]}"
        return found

    def _listed(self, value: str) -> bool:
        """Whether the rules name it themselves, in a list or a condition that the bundle shows anyway."""
        return quoted(value) in self._script

    def events(self, events: pa.Table) -> tuple[pa.Table, list[bool]]:
        """Return events as the profile tells them, and which of them are not told whole."""
        rows = events.to_pylist(maps_as_pydicts="strict")
        changed = [self._event(row) for row in rows]
        shut = [a != b for a, b in zip(changed, rows, strict=True)]
        for row in changed:
            row["attributes"] = None if row["attributes"] is None else list(row["attributes"].items())
        return pa.Table.from_pylist(changed, schema=EVENTS), shut

    def _event(self, row: Mapping[str, Any]) -> dict[str, Any]:
        made = dict(row)
        for column, kind in self.profile.identities.items():
            made[column] = self.name(kind, row[column])
        if not self.profile.texts:
            for column in _TEXTS:
                if column not in self._read:
                    made[column] = None
            made["attributes"] = self._attributes(row["attributes"])
            made["tz"] = row["tz"] if "tz" in self._read or "payer_tz" in self._read else None
        if "party" in self.profile.identities and row["holders"] is not None:
            made["holders"] = [h | {"party": self.name("party", h["party"])} for h in row["holders"]]
        return made

    def _attributes(self, given: Mapping[str, str] | None) -> dict[str, str] | None:
        """Attributes that a rule reads by name; one that names an account by its pseudonym."""
        if given is None:
            return None
        kept = {k: v for k, v in given.items() if f"'{k}'" in self._script}
        if "settlement_account" in kept:
            kept["settlement_account"] = self.name("account", kept["settlement_account"]) or ""
        return kept or None

    def rows(self, rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """Return hits (or the alert) with identities replaced wherever they stand, in texts as well."""
        return [self.value(dict(row)) for row in rows]

    def value(self, value: Any) -> Any:
        """Return any value with identities replaced; who the events never name stays as it is."""
        if isinstance(value, str):
            return self._text(value)
        if isinstance(value, dict):
            return {k: self.value(v) for k, v in value.items()}
        if isinstance(value, list | tuple):
            return type(value)(self.value(v) for v in value)
        return value

    def alert(self, alert: Mapping[str, Any]) -> dict[str, Any]:
        """Return the alert; outside the institution, only what the rules found, never what people wrote."""
        self.name(*self._subject)
        if self.profile.whole_config:
            return dict(alert)
        made = {name: alert[name] for name in _OUTSIDE}
        for name in ("holders_first", "holders_latest"):
            made[name] = [h | {"party": self.name("party", h["party"])} for h in alert[name] or ()]
        if "event_id" in self.profile.identities:  # an alert's id is made of its subject's, without a secret
            made["alert_id"] = self.name("event", alert["alert_id"])
        told: dict[str, Any] = self.value(made)
        return told

    def log(self, lines: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """Return the custody log with identities replaced in what people wrote; an account that is named
        like a step of the log changes no step."""
        written = ("from", "to", "reason", "purpose")
        return [{k: self.value(v) if k in written else v for k, v in line.items()} for line in lines]

    def _text(self, text: str) -> str:
        whole = {value: shown for (_, value), shown in self.known.items()}
        if text in whole:
            return whole[text]
        if not whole:
            return text
        longest = sorted((v for v in whole if len(v) > 2), key=len, reverse=True)
        pattern = "|".join(re.escape(v) for v in longest)
        if not pattern:
            return text
        return re.sub(rf"(?<![\w-])(?:{pattern})(?![\w-])", lambda m: whole[m[0]], text)

    def told(self) -> dict[str, Any]:
        """Return what was changed, for the bundle itself: kinds and numbers, never who is who."""
        kinds: dict[str, int] = {}
        for kind, _ in self.known:
            kinds[kind] = kinds.get(kind, 0) + 1
        cut = [] if self.profile.texts else [c for c in _TEXTS if c not in self._read]
        return {
            "profile": self.profile.name,
            "says": self.profile.told,
            "pseudonyms": kinds,
            "columns_without_values": cut,
            "attributes": "all" if self.profile.texts else "only those that a rule reads by name",
            "staff": "by name" if self.profile.staff else "by order of appearance",
        }
