"""Who works in the vault: a person by a key, with what the vault grants this person now.

Owns who this is and the bounds of its sight that need no case; roles are granted in `txmon.vault.grants`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from txmon.store.identity import Principal
from txmon.vault.states import EXAMINER, Actor


@dataclass(frozen=True)
class Caller:
    """A person at work. purpose: what a look is for.

    reports: those that somebody who is an examiner only may see; None: all. until_us: when the last grant
    of such a person ends.
    """

    who: Principal
    roles: frozenset[str]
    reports: frozenset[str] | None = None
    until_us: int | None = None
    purpose: str | None = None

    @property
    def person(self) -> str:
        """The person's id."""
        return self.who.person_id or ""

    @property
    def actor(self) -> Actor:
        """As the table of states asks for one."""
        return Actor(self.person, self.roles)

    @property
    def looks_only(self) -> bool:
        """Whether this is an examiner and nothing else."""
        return self.roles == {EXAMINER}

    def for_purpose(self, purpose: str | None) -> Caller:
        """Return the same person with the purpose of a request."""
        return replace(self, purpose=purpose)

    def may_touch(self, report_id: str, mode: str, entity: str) -> bool:
        """Whether a report is within the key's mode and entities and the grant."""
        granted = self.reports is None or report_id in self.reports
        return granted and self.who.may_touch(mode, entity)
