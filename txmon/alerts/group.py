"""A subject's evidence, and the alert it may become. Plain state: it decides nothing."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field

from txmon.alerts.score import Score

Key = tuple[str, str, str, str]  # entity, mode, subject type, subject id
EvidenceKey = tuple[int, str | None]  # rule index, value of the rule's dedup fields beyond the subject
Holder = tuple[str, str]  # party, role
Opening = tuple[str, str, str, str, str]  # source, event_id, leg or '', rule_id, trigger

_NEVER = -(2**63)
# One account is one subject, whichever side of a payment a rule looked at it from.
_ACCOUNT_ROLES = frozenset({"payer", "payee", "account"})


def subject_class(subject_type: str) -> str:
    """Return what kind of thing a rule's subject is: payer, payee and account are all an account."""
    return "account" if subject_type in _ACCOUNT_ROLES else subject_type


@dataclass(slots=True)
class Evidence:
    """The hits of one rule, with one value of its dedup fields, in a group. Times in microseconds, UTC."""

    rule: int
    dedup: str | None
    first_us: int
    last_us: int = _NEVER
    until_us: int = _NEVER  # while the group waits: from then on this evidence no longer counts
    score: float = 0.0
    count: int = 0
    explanation: str = ""
    row: int = -1  # row of the newest hit in the batch being applied

    def count_in(self, score: float, event_us: int, until_us: int) -> None:
        """Add one hit."""
        self.count += 1
        if score > self.score:
            self.score = score
        if event_us < self.first_us:
            self.first_us = event_us
        if event_us > self.last_us:
            self.last_us = event_us
        if until_us > self.until_us:
            self.until_us = until_us


@dataclass(slots=True)
class Group:
    """Evidence that waits, or an alert once `opened`."""

    key: Key
    evidence: dict[EvidenceKey, Evidence] = field(default_factory=dict)
    scores: dict[int, float] = field(default_factory=dict)  # each rule once, the highest it came with
    opened: bool = False
    opening: Opening = ("", "", "", "", "")
    opened_us: int = 0
    until_us: int = 0
    revision: int = 0
    score: Score = field(default_factory=lambda: Score(0.0, (), ()))
    holders_first: tuple[Holder, ...] = ()
    holders_latest: tuple[Holder, ...] = ()
    opening_row: int = -1
    row: int = -1

    @property
    def alert_id(self) -> str:
        """SHA-256 of the subject and of the hit that opened the alert; 'al-' and 24 hexadecimal digits."""
        facts = json.dumps([*self.key, *self.opening], ensure_ascii=True, separators=(",", ":"))
        return "al-" + hashlib.sha256(facts.encode("ascii")).hexdigest()[:24]

    def drop_stale(self, time_us: int) -> None:
        """Forget what waits for too long: evidence whose `until_us` has come."""
        stale = [key for key, evidence in self.evidence.items() if evidence.until_us <= time_us]
        if stale:
            for key in stale:
                del self.evidence[key]
            self.scores.clear()
            for evidence in self.evidence.values():
                self.scores[evidence.rule] = max(self.scores.get(evidence.rule, 0.0), evidence.score)

    def evidence_of(self, rule: int, dedup: str | None, event_us: int) -> Evidence:
        """Return the evidence of a rule and dedup value, new and empty if there was none."""
        evidence = self.evidence.get((rule, dedup))
        if evidence is None:
            evidence = self.evidence[rule, dedup] = Evidence(rule, dedup, event_us)
        return evidence
