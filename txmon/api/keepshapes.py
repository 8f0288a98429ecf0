"""Types of the bodies and filters about preservation, exports and the record of reads.

Owns the checks that need no database, as `txmon.api.shapes` does for the rest.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from txmon.api.caseshapes import PersonId
from txmon.api.shapes import Given, Moment, Named, PageFilter, Reason, Word

Days = Annotated[int, Field(ge=1, le=366)]


class EventKey(Given):
    """An event as its source names it."""

    source: Named
    event_id: Named


class NewOrder(Given):
    """What an authority asks to be preserved; from `since` on, before `until`, by the time of events."""

    authority: Named
    reference: Named
    reason: Reason
    subjects: list[Named] = Field([], max_length=1000)
    events: list[EventKey] = Field([], max_length=1000)
    cases: list[Word] = Field([], max_length=1000)
    since: Moment | None = None
    until: Moment | None = None
    days: Days = 90
    people: list[PersonId] = Field([], max_length=50, description="who may know of it besides the author")

    @model_validator(mode="after")
    def _something(self) -> NewOrder:
        if not (self.subjects or self.events or self.cases):
            raise PydanticCustomError("which", "name what is held: subjects, events or cases")
        return self


class Renewal(Given):
    """For how many days from now an order goes on."""

    days: Days = 90
    reason: Reason


class OrderAccess(Given):
    """Who may know of an order, or no longer."""

    person_id: PersonId
    allowed: bool = True


class Release(Given):
    """Why an order ends before its time."""

    reason: Reason


class NewExport(Given):
    """Whose data are exported, why, and what is told besides events."""

    party: Named
    reason: Reason
    include: list[Literal["alerts", "cases", "tips"]] = Field([], max_length=3)


class HeadFilter(PageFilter):
    """Which signed heads."""


class ReadFilter(Given):
    """Which lines of the record of reads."""

    identity: Annotated[str, Field(pattern=r"^(person|service):[a-z0-9_]{1,40}$")] | None = None
    person: PersonId | None = None
    action: Word | None = None
    subject: Named | None = Field(None, description="needs X-Purpose")
    purpose: Named | None = Field(None, description="a part of it; needs X-Purpose")
    since: Moment | None = None
    until: Moment | None = None

    @model_validator(mode="after")
    def _one_name(self) -> Any:
        if self.person is not None and self.identity is not None:
            raise PydanticCustomError("which", "name a person or an identity, not both")
        return self

    @property
    def by_content(self) -> bool:
        """Whether lines are chosen by what they say, so that those one may not read must not be found."""
        return self.subject is not None or self.purpose is not None

    @property
    def who(self) -> str | None:
        """The identity that is asked for."""
        return self.identity if self.person is None else f"person:{self.person}"


class AuditFilter(PageFilter, ReadFilter):
    """Which lines of the record of reads, a page of them."""
