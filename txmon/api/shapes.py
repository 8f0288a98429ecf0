"""Types of parameters and bodies: what may be said, within bounds and without card numbers.

Owns the checks that need no database; a fault names the place and the rule, never the value.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal

from fastapi import Path, Query
from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from txmon.api.cards import holds_card

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_PRINTED = r"^[^\x00-\x1f\x7f]*$"
# lines of text that are not blank
_WRITTEN = r"^[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f]*[^\x00-\x20\x7f][^\x00-\x08\x0b\x0c\x0e-\x1f\x7f]*$"


def _no_card(text: str) -> str:
    if holds_card(text):
        raise PydanticCustomError("card_number", "holds a card number; leave it out, or use its token")
    return text


def micros(moment: datetime | None) -> int | None:
    """Return a moment in microseconds since the epoch."""
    return None if moment is None else (moment - _EPOCH) // timedelta(microseconds=1)


Mode = Literal["live", "test"]
Severity = Literal["low", "medium", "high", "critical"]
AlertState = Literal["open", "in_review", "escalated", "dismissed"]
RowState = Literal["open", "fixed", "dropped"]
Role = Literal["ingest", "analyst", "approver", "safeguarding", "auditor", "coalition", "admin"]
KeyScope = Literal["ingest", "explain", "read", "admin"]
ProposalState = Literal["pending", "approved", "rejected", "withdrawn"]
ProposalKind = Literal[
    "grant", "rule_activation", "quarantine_fix", "alert_dismissal", "bulk_dismissal", "erasure",
    "list_change", "suppression", "protect_clearing", "severity_lowering", "restriction_lifting",
    "account_action", "hold_release", "subject_export",
]  # fmt: skip

DismissalCode = Literal[
    "known_relation", "lawful_business", "stable_history", "data_error", "rule_too_wide", "duplicate",
    "insufficient", "other",
]  # fmt: skip

Named = Annotated[
    str, Field(min_length=1, max_length=200, pattern=_PRINTED), AfterValidator(_no_card)
]  # an id or name of theirs
Word = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,79}$")]  # an id of ours
Reason = Annotated[
    str,
    Field(min_length=1, max_length=2000, pattern=_WRITTEN, examples=["seen with the customer's contract"]),
    AfterValidator(_no_card),
]  # fmt: skip
Moment = Annotated[AwareDatetime, Field(examples=["2026-01-05T12:00:00Z"])]
Cursor = Annotated[str, Field(max_length=400, pattern=r"^[A-Za-z0-9_-]+$")]
Limit = Annotated[int, Field(ge=1, le=200)]

OurId = Annotated[str, Path(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$")]
RuleId = Annotated[str, Path(pattern=r"^[a-z0-9][a-z0-9._-]{0,79}$")]
RowId = Annotated[int, Path(ge=1, le=2**53)]


class Given(BaseModel):
    """Base of bodies and filters: what is not declared is refused."""

    model_config = ConfigDict(extra="forbid")


class PageFilter(Given):
    """Which part of a list."""

    limit: Limit = 50
    cursor: Cursor | None = Field(None, description="`next_cursor` of the page before")


class AlertFilter(PageFilter):
    """Which alerts; with several of one kind, any of them."""

    state: list[AlertState] = Field([], max_length=4)
    severity: list[Severity] = Field([], max_length=4, description="scope explain")
    typology: Word | None = Field(None, description="scope explain")
    rule: Word | None = Field(None, description="scope explain")
    min_score: float | None = Field(None, ge=0, le=1, description="scope explain")
    subject: Named | None = Field(None, description="needs X-Purpose")
    entity: Named | None = None
    mode: Mode | None = None
    since: Moment | None = Field(None, description="opened at or after")
    until: Moment | None = Field(None, description="opened before")
    historic: bool = Field(False, description="alerts of history that was loaded, instead of the others")


class HitFilter(PageFilter):
    """Which hits."""

    rule: Word | None = None
    alert: Word | None = None
    subject: Named | None = Field(None, description="needs X-Purpose")
    source: Named | None = None
    event_id: Named | None = None
    entity: Named | None = None
    mode: Mode | None = None
    since: Moment | None = Field(None, description="event time at or after")
    until: Moment | None = Field(None, description="event time before")


class RuleFilter(Given):
    """Over which time to count."""

    days: int = Field(7, ge=1, le=400, description="hits of so many days back are counted")


class RowFilter(PageFilter):
    """Which rows of the quarantine."""

    state: RowState = "open"
    reason: Word | None = None
    feed: Word | None = None


class ProposalFilter(PageFilter):
    """Which proposals."""

    state: ProposalState = "pending"
    kind: ProposalKind | None = None


class Transition(Given):
    """Where an alert goes. Dismissing takes a reason, and a critical alert a second person."""

    state: Literal["in_review", "escalated", "dismissed"]
    reason: Reason | None = None
    code: DismissalCode | None = Field(None, description="of a dismissal: what kind of reason it is")


class BundleWish(Given):
    """Who an evidence bundle is for."""

    profile: Literal["internal", "police", "court", "clearing-house", "public"]


class Seen(Given):
    """An alert in the version that was read."""

    alert_id: Word
    version: int = Field(ge=0, le=2**31)


class Dismissals(Given):
    """Alerts to be dismissed for one reason; each once, of one entity and mode."""

    alerts: list[Seen] = Field(min_length=1, max_length=500)
    reason: Reason
    code: DismissalCode | None = None

    @model_validator(mode="after")
    def _once(self) -> Dismissals:
        if len({each.alert_id for each in self.alerts}) < len(self.alerts):
            raise PydanticCustomError("twice", "an alert is named twice; name each once")
        return self


class Activation(Given):
    """Which config, by the id that `/v1/rules:staged` gave."""

    config: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    reason: Reason


class NewStatus(Given):
    """What a rule is to be: `shadow` is scored and stored but never opens an alert."""

    status: Literal["shadow", "live"]
    reason: Reason


class Fix(Given):
    """The row as it should have come. `tries` is the count that was read."""

    raw: Annotated[str, Field(min_length=1, max_length=65_536), AfterValidator(_no_card)]
    tries: int = Field(ge=0, le=2**31)
    reason: Reason


class Why(Given):
    """The reason of a decision."""

    reason: Reason


class Decision(Given):
    """A decision on a proposal. version: of the proposal that was read."""

    approve: bool
    reason: Reason | None = None
    version: int | None = Field(None, ge=0, le=2**31)


class NewPerson(Given):
    """A person to be named, with the roles that are proposed."""

    name: Annotated[str, Field(min_length=1, max_length=80), AfterValidator(_no_card)]
    roles: list[Role] = Field(min_length=1, max_length=7)
    entities: list[Named] | None = Field(None, min_length=1, max_length=50)


class Grant(Given):
    """The roles a person is to have from now on."""

    roles: list[Role] = Field(max_length=7)
    entities: list[Named] | None = Field(None, min_length=1, max_length=50)


class NewKey(Given):
    """A key to be made: a person's, or without `person_id` a service's, which needs roles."""

    name: Annotated[str, Field(min_length=1, max_length=80), AfterValidator(_no_card)]
    scopes: list[KeyScope] = Field(min_length=1, max_length=4)
    person_id: Word | None = None
    roles: list[Role] | None = Field(None, min_length=1, max_length=7)
    mode: Mode | None = None
    entities: list[Named] | None = Field(None, min_length=1, max_length=50)
    expires: Moment | None = None


class NewWebhook(Given):
    """A receiver to be added. scope `full` names rules and reasons; without mode or entities: all."""

    url: Annotated[
        str,
        Field(min_length=1, max_length=2000, pattern=r"^[!-~]+$", examples=["https://hooks.example.com/a"]),
        AfterValidator(_no_card),
    ]
    scope: Literal["neutral", "full"] = "neutral"
    mode: Mode | None = None
    entities: list[Named] | None = Field(None, min_length=1, max_length=50)


class Replay(Given):
    """Which messages: their numbers, or what was written from `since` on (before `until`)."""

    messages: list[Annotated[int, Field(ge=1, le=2**53)]] | None = Field(
        None, min_length=1, max_length=10_000
    )
    since: Moment | None = None
    until: Moment | None = None

    @model_validator(mode="after")
    def _one_way(self) -> Replay:
        if (self.messages is None) == (self.since is None) or (self.messages and self.until):
            raise PydanticCustomError("which", "name messages, or since when (and until when)")
        return self


class NewLink(Given):
    """Who a person is to the issuer: `sub` as its tokens have it. Without `issuer`: the one that is set."""

    subject: Annotated[str, Field(min_length=1, max_length=255, pattern=_PRINTED, examples=["248289761001"])]
    issuer: Annotated[str, Field(min_length=1, max_length=500, pattern=r"^[!-~]+$")] | None = None


class Rotation(Given):
    """How long the old key still works, in seconds."""

    overlap_s: int = Field(86_400, ge=0, le=7 * 86_400)


def query(model: Any) -> Any:
    """Return the annotation of a filter that is read from the query."""
    return Annotated[model, Query()]
