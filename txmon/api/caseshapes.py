"""Types of the bodies and filters of case work.

Owns the checks that need no database, as `txmon.api.shapes` does for the rest.
"""

from __future__ import annotations

from base64 import b64decode
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, model_validator
from pydantic_core import PydanticCustomError

from txmon.api.shapes import (
    Given,
    Mode,
    Moment,
    Named,
    PageFilter,
    Reason,
    Seen,
    Severity,
    Word,
    _no_card,
    micros,
)

CaseState = Literal["open", "investigating", "decided", "closed"]
Restriction = Literal["child_exploitation", "own_staff", "police_hold"]
PartyKind = Literal["person", "account", "merchant", "card", "device", "other"]
PartyRole = Literal[
    "suspect", "recruiter", "middleman", "facilitator", "site_operator", "employer", "service_provider",
    "client", "deceived_client", "holder", "victim", "possible_victim", "image_victim", "unknown",
]  # fmt: skip
Confidence = Literal["low", "medium", "high"]
Channel = Literal["letter", "e-mail", "sms", "phone", "app", "branch"]
PersonId = Annotated[str, Field(pattern=r"^psn_[a-z2-7]{16}$")]
Title = Annotated[
    str,
    Field(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]*[^\x00-\x20\x7f][^\x00-\x1f\x7f]*$"),
    AfterValidator(_no_card),
]  # fmt: skip


class CaseFilter(PageFilter):
    """Which cases."""

    state: list[CaseState] = Field([], max_length=4)
    severity: list[Severity] = Field([], max_length=4)
    assignee: Annotated[str, Field(pattern=r"^(me|none|psn_[a-z2-7]{16})$")] | None = None
    protect: bool | None = Field(None, description="somebody may be a victim")
    restricted: bool | None = None
    alert: Word | None = Field(None, description="the case that this alert is in")
    snoozed: bool = Field(False, description="those that were put off, instead of the others")
    entity: Named | None = None
    mode: Mode | None = None


class TimelineFilter(PageFilter):
    """How much of what happened, from the oldest on."""

    limit: int = Field(500, ge=1, le=500)


class QueueFilter(PageFilter):
    """Which alerts that wait, and in which order; the oldest first within each."""

    order: Literal["severity", "score", "age"] = "severity"
    severity: list[Severity] = Field([], max_length=4)
    typology: Word | None = None
    min_score: float | None = Field(None, ge=0, le=1)
    opened_before: Moment | None = None
    protect: bool | None = Field(None, description="the subject may be a victim")
    assignee: Annotated[str, Field(pattern=r"^(me|none|psn_[a-z2-7]{16})$")] | None = None
    snoozed: bool = Field(False, description="those that were put off, instead of the others")
    entity: Named | None = None
    mode: Mode | None = None


class _Alerts(Given):
    """Alerts in the versions that were read, each once."""

    alerts: list[Seen] = Field(min_length=1, max_length=100)
    reason: Reason

    @model_validator(mode="after")
    def _once(self) -> _Alerts:
        if len(self.seen) < len(self.alerts):
            raise PydanticCustomError("twice", "an alert is named twice; name each once")
        return self

    @property
    def seen(self) -> dict[str, int]:
        """Alert -> version."""
        return {each.alert_id: each.version for each in self.alerts}


class NewCase(_Alerts):
    """A case to be opened from alerts of one entity and mode."""

    title: Title
    restriction: Restriction | None = None


class Linking(_Alerts):
    """Alerts to be linked to a case."""


class Working(_Alerts):
    """One thing to be done with many alerts. `person_id` null: nobody; `until` null: no longer put off."""

    alerts: list[Seen] = Field(min_length=1, max_length=200)
    action: Literal["take_up", "assign", "snooze"]
    person_id: PersonId | None = None
    until: Moment | None = None

    @model_validator(mode="after")
    def _fits(self) -> Working:
        extra = {"person_id", "until"} & self.model_fields_set
        if extra - {{"assign": "person_id", "snooze": "until"}.get(self.action, "")}:
            raise PydanticCustomError("which", "`person_id` goes with `assign`, `until` with `snooze`")
        return self

    @property
    def value(self) -> Any:
        """What the action is done with."""
        return micros(self.until) if self.action == "snooze" else self.person_id


class Unlinking(Given):
    """Alerts to be taken out of a case."""

    alerts: list[Word] = Field(min_length=1, max_length=100)
    reason: Reason


class Splitting(Unlinking):
    """Alerts that become a case of their own."""

    title: Title


class Merging(Given):
    """Into which case, and in which version it was read."""

    into: Word
    version: int = Field(ge=0, le=2**31)
    reason: Reason


class CaseChange(Given):
    """One change of a case, and why. null takes a value away."""

    reason: Reason
    state: CaseState | None = None
    severity: Severity | None = None
    assignee: PersonId | None = None
    lead: PersonId | None = Field(None, description="the safeguarding lead")
    restriction: Restriction | None = None
    protect: bool | None = None
    snoozed_until: Moment | None = None
    facts_known_at: Moment | None = Field(
        None, description="since when the facts are known, as a person says"
    )
    title: Title | None = None

    @model_validator(mode="after")
    def _one(self) -> CaseChange:
        given = self.model_fields_set - {"reason"}
        if len(given) != 1:
            raise PydanticCustomError("which", "name one change; each is a decision of its own")
        (name,) = given
        if getattr(self, name) is None and name not in ("assignee", "lead", "restriction", "snoozed_until"):
            raise PydanticCustomError("which", "this has a value always; name one")
        return self

    @property
    def named(self) -> tuple[str, Any]:
        """Which field, and its value."""
        (name,) = self.model_fields_set - {"reason"}
        value = getattr(self, name)
        return name, micros(value) if name in ("snoozed_until", "facts_known_at") else value


class Comment(Given):
    """A comment."""

    text: Reason


class NewParty(Given):
    """A party, or a further role of one. user_id: who of this service it is, shut out from then on."""

    kind: PartyKind
    ref: Named
    role: PartyRole
    confidence: Confidence
    basis: Reason
    name: Named | None = None
    user_id: PersonId | None = None


class PartyChange(Given):
    """One change of a party: how sure its role is, which channels are safe, or that the role ends."""

    reason: Reason
    confidence: Confidence | None = None
    contact: list[Channel] | None = Field(None, max_length=6)
    ended: Literal[True] | None = None

    @model_validator(mode="after")
    def _one(self) -> PartyChange:
        given = [name for name in ("confidence", "contact", "ended") if getattr(self, name) is not None]
        if len(given) != 1:
            raise PydanticCustomError("which", "name one change; each is a decision of its own")
        return self


class Contact(Given):
    """By which channel a party is to be reached, and with which neutral text."""

    channel: Channel
    text: Word


class Action(Given):
    """What is proposed to be done with an account of a case; people carry it out."""

    ref: Named
    action: Literal["limit", "hold", "release", "close"]
    reason: Reason


class SignAnswer(Given):
    """What is known of a sign of the checklist. witness: who saw it."""

    sign: Word
    answer: Literal["seen", "not_seen", "unknown"]
    witness: Named | None = None
    note: Reason | None = None


class Checklist(Given):
    """Answers, each sign once."""

    answers: list[SignAnswer] = Field(min_length=1, max_length=100)

    @model_validator(mode="after")
    def _once(self) -> Checklist:
        if len({each.sign for each in self.answers}) < len(self.answers):
            raise PydanticCustomError("twice", "a sign is named twice; name each once")
        return self


class WebAddress(Given):
    """An address of the web, of which a keyed hash is kept, and where it was reported."""

    url: Annotated[str, Field(min_length=4, max_length=2000, pattern=r"^[!-~]+$")]
    hotline: Named | None = Field(None, description="the hotline's reference")


class NewFile(Given):
    """A file: PDF, CSV, text or e-mail, its bytes in base64. Nothing else is taken, whatever it is called."""

    name: Title
    content: Annotated[str, Field(min_length=4, max_length=12 << 20, pattern=r"^[A-Za-z0-9+/]+={0,2}$")]

    @model_validator(mode="after")
    def _whole(self) -> NewFile:
        if len(self.content) % 4:
            raise PydanticCustomError("base64", "the content is not base64 to its end")
        return self

    @property
    def bytes(self) -> bytes:
        """The file itself."""
        return b64decode(self.content, validate=True)


class Access(Given):
    """Whether a person is on the access list of a case."""

    person_id: PersonId
    allowed: bool
    reason: Reason


class SupportFilter(Given):
    """Which organisations."""

    country: Annotated[str, Field(pattern=r"^[A-Z]{2}$")] | None = None
    kind: Literal["helpline", "shelter", "legal", "medical", "hotline", "police", "other"] | None = None
