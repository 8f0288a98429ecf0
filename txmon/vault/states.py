"""States of a report, and who may lead from which to which: the one table that says so.

Everything that is done with a report is a line here; what is not here is refused. Owns the table and the
question whether somebody may act; what an action does is `txmon.vault.office`'s part.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum

from txmon.errors import Forbidden, FourEyes, WrongState

MLRO, RELEASE, EXAMINER = "mlro", "mlro_release", "examiner"
ROLES = (MLRO, RELEASE, EXAMINER)

DRAFT, PENDING, RELEASED = "draft", "pending_release", "released"
ACKNOWLEDGED, REJECTED, NO_FILE = "acknowledged", "rejected", "no_file"
STATES = (DRAFT, PENDING, RELEASED, ACKNOWLEDGED, REJECTED, NO_FILE)


class Second(StrEnum):
    """Who may not be the second person."""

    NONE = "none"  # it takes no second person
    AUTHORS = "authors"  # whoever drafted, edited or signed the report
    PROPOSER = "proposer"  # whoever proposed what is decided


@dataclass(frozen=True)
class Move:
    """One way to act. to: the states it may lead to, the state itself where it leads nowhere."""

    state: str
    action: str
    role: str
    second: Second
    to: tuple[str, ...]


def _stay(states: Collection[str], action: str, role: str, second: Second = Second.NONE) -> list[Move]:
    return [Move(state, action, role, second, (state,)) for state in states]


TABLE: tuple[Move, ...] = (
    *_stay((DRAFT,), "edit", MLRO),
    *_stay((DRAFT,), "sign", MLRO),
    Move(DRAFT, "submit", MLRO, Second.NONE, (PENDING,)),
    Move(PENDING, "withdraw", MLRO, Second.NONE, (DRAFT,)),
    Move(PENDING, "return", RELEASE, Second.NONE, (DRAFT,)),
    Move(PENDING, "release", RELEASE, Second.AUTHORS, (RELEASED,)),
    *_stay((DRAFT, PENDING), "propose_no_file", MLRO),
    *_stay((DRAFT, PENDING), "withdraw_no_file", MLRO),
    Move(DRAFT, "decide_no_file", RELEASE, Second.PROPOSER, (NO_FILE, DRAFT)),
    Move(PENDING, "decide_no_file", RELEASE, Second.PROPOSER, (NO_FILE, PENDING)),
    *_stay((RELEASED,), "send", RELEASE),
    Move(RELEASED, "acknowledge", MLRO, Second.NONE, (ACKNOWLEDGED, REJECTED)),
    Move(REJECTED, "correct", MLRO, Second.NONE, (DRAFT,)),
    *_stay((ACKNOWLEDGED,), "correct", MLRO),
    *_stay((ACKNOWLEDGED,), "continue", MLRO),
    *_stay((RELEASED, ACKNOWLEDGED), "review", MLRO),
)
_BY_NAME = {(move.state, move.action): move for move in TABLE}
ACTIONS = tuple(dict.fromkeys(move.action for move in TABLE))


@dataclass(frozen=True)
class Actor:
    """Who would act: person and roles in the vault."""

    person: str
    roles: frozenset[str]


@dataclass(frozen=True)
class Standing:
    """What of a report decides who may act: its state, its authors, who proposed that none is made."""

    state: str
    authors: frozenset[str]
    proposer: str | None


def move_of(standing: Standing, action: str, actor: Actor) -> Move:
    """Return the line under which somebody may act.

    Raises:
        WrongState: not from this state. Forbidden: not with these roles. FourEyes: not this person.
    """
    roles = {move.role for move in TABLE if move.action == action}
    if not roles & actor.roles:
        raise Forbidden(f"this takes the role {' or '.join(sorted(roles))}; ask someone who has it")
    move = _BY_NAME.get((standing.state, action))
    if move is None or (action in ("decide_no_file", "withdraw_no_file") and standing.proposer is None):
        raise WrongState(
            f"there is no way to {action.replace('_', ' ')} a report in this state; read it again"
        )
    if move.role not in actor.roles:
        raise Forbidden(f"this takes the role {move.role}; ask someone who has it")
    if move.second is Second.AUTHORS and actor.person in standing.authors:
        raise FourEyes("who drafted, edited or signed a report does not release it; ask another person")
    if move.second is Second.PROPOSER and actor.person == standing.proposer:
        raise FourEyes("who proposed that no report is made does not decide on it; ask another person")
    if action == "propose_no_file" and standing.proposer is not None:
        raise WrongState("it is proposed already that no report is made; decide on that first")
    return move


def actions_of(standing: Standing, actor: Actor) -> list[str]:
    """Return what somebody may do now, in the order of the table."""
    found = []
    for action in ACTIONS:
        try:
            move_of(standing, action, actor)
        except (WrongState, Forbidden):
            continue
        found.append(action)
    return found
