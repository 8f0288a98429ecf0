"""Ten thousand interleavings of people who read and edit one case, each step a transaction of its own.

    interleavings.py [COUNT] [--seed 7]

An interleaving has two to four people with one to three edits each; each reads the case and later edits what it
read; in which order the steps of all come is drawn. An edit must be taken if and only if nobody came between,
and what is stored must be what the edits that were taken say: no update is lost, none is told twice. Prints one
line of figures; exit code 1 on any difference.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import sqlalchemy as sa

sys.path.append(str(Path(__file__).parents[1]))
sys.path.append(str(Path(__file__).parents[1] / "store"))

from storekit import add_batch, open_store

from txmon.cases import checks, moves, opening, parties
from txmon.cases.rows import Wanted, parties_of
from txmon.cases.sight import case_row
from txmon.cases.texts import signs
from txmon.errors import StoreConflict
from txmon.store import Store, Tx, journal
from txmon.store.casetables import case_log, case_parties
from txmon.store.foureyes import Proposals
from txmon.store.identity import SCOPES, Principal

TOLD_EACH = 1000
PEOPLE, AT_ONCE = 4, 100  # parties of so many interleavings stay, then the case begins without any
PROPOSALS, SIGNS = Proposals(), signs()
KINDS = ("title", "assignee", "party", "sign", "snooze", "comment")


def person(number: int) -> Principal:
    name = f"psn_{'abcdefghij'[number] * 16}"
    return Principal(
        f"key_{number}", name, name, "person", frozenset({"analyst"}), SCOPES, None, None, f"person:{name}"
    )


@dataclass
class Model:
    """What the case must be: by the edits that were taken."""

    version: int = 1
    fields: dict[str, Any] = field(default_factory=dict)
    parties: list[str] = field(default_factory=list)
    told: Counter[str] = field(default_factory=Counter)


@dataclass
class Run:
    """A store with a case, its model, and what was counted."""

    store: Store
    case_id: str
    chance: random.Random
    model: Model = field(default_factory=Model)
    figures: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)

    def check(self, fine: bool, what: str) -> None:
        if not fine:
            self.wrong.append(what)


def interleave(run: Run) -> None:
    """One interleaving, and what must hold after it."""
    chance = run.chance
    programs = {who: chance.randint(1, 3) for who in chance.sample(range(PEOPLE), chance.randint(2, PEOPLE))}
    steps = [who for who, edits in programs.items() for _ in range(2 * edits)]
    chance.shuffle(steps)
    read: dict[int, int | None] = dict.fromkeys(programs)
    for who in steps:
        if read[who] is None:
            read[who] = _read(run, person(who))
        else:
            _edit(run, person(who), int(read[who] or 0), chance.choice(KINDS))
            read[who] = None
    run.figures["interleavings"] += 1
    _compare(run)


def _read(run: Run, who: Principal) -> int:
    with run.store.read() as conn:
        row = case_row(conn, who, run.case_id)
    run.check(row["version"] == run.model.version, f"read version {row['version']}")
    return int(row["version"])


def _edit(run: Run, who: Principal, version: int, kind: str) -> None:
    """One edit in a transaction of its own; taken if and only if the version is the present one."""
    model, number = run.model, run.figures["edits"]
    make, expected = _edit_of(run, who, Wanted(run.case_id, version), kind, number)
    run.figures["edits"] += 1
    try:
        with run.store.write() as tx:
            make(tx)
    except StoreConflict:
        run.figures["refused"] += 1
        run.check(version != model.version and kind != "comment", f"{kind} {number} was refused")
        return
    run.figures["taken"] += 1
    run.check(version == model.version or kind == "comment", f"{kind} {number} was taken in an old version")
    model.told[f"case.{NAMES[kind]}"] += 1
    model.version += kind != "comment"
    if kind == "party":
        model.parties.append(str(expected))
    elif kind in COLUMNS:
        model.fields[COLUMNS[kind]] = expected


NAMES = {
    "title": "titled", "assignee": "assigned", "party": "party_added", "sign": "checklist", "snooze": "snoozed", "comment": "comment",
}  # fmt: skip
COLUMNS = {"title": "title", "assignee": "assignee", "snooze": "snoozed_until_us"}


def _edit_of(
    run: Run, who: Principal, wanted: Wanted, kind: str, number: int
) -> tuple[Callable[[Tx], Any], Any]:
    """What an edit does, and what it leaves."""

    def move(name: str, value: Any) -> Callable[[Tx], Any]:
        return lambda tx: moves.change(tx, PROPOSALS, who, wanted, moves.Change(name, value, "why"))

    if kind == "title":
        return move("title", f"title {number}"), f"title {number}"
    if kind == "assignee":
        return move("assignee", who.person_id), who.identity
    if kind == "snooze":
        until = run.store.clock.now_us() + 3_600_000_000 + number
        return move("snoozed_until", until), until
    if kind == "party":
        party = parties.Party("account", f"acct-{number}", "client", "low", "said so")
        return lambda tx: parties.add(tx, who, wanted, party), party.ref
    if kind == "sign":
        given = [checks.Answer(run.chance.choice(SIGNS).id, "unknown", None, f"note {number}")]
        return lambda tx: checks.answer(tx, who, wanted, given, SIGNS), None
    return lambda tx: moves.comment(tx, who, case_row(tx.conn, who, run.case_id), f"text {number}"), None


def _compare(run: Run) -> None:
    model = run.model
    with run.store.read() as conn:
        row = case_row(conn, person(0), run.case_id)
        refs = [each["ref"] for each in parties_of(conn, run.case_id)]
    run.check(row["version"] == model.version, f"version {row['version']}, {model.version} edits were taken")
    for name, value in model.fields.items():
        run.check(row[name] == value, f"{name} is {row[name]}, not {value}")
    run.check(sorted(refs) == sorted(model.parties), f"{len(refs)} parties, {len(model.parties)} were added")
    if run.figures["interleavings"] % AT_ONCE == 0:
        with run.store.write() as tx:
            tx.conn.execute(sa.delete(case_parties))
        model.parties.clear()


def run_all(folder: Path, count: int, seed: int) -> tuple[Counter[str], list[str]]:
    """Run so many interleavings; returns the figures and what was wrong."""
    with open_store(folder / "store") as store:
        add_batch(store)
        with store.write() as tx:
            (alert,) = tx.conn.exec_driver_sql("select alert_id, version from alerts").all()
            case_id = opening.open_case(tx, person(0), {alert[0]: alert[1]}, opening.Opening("0", "why"))
            tx.conn.execute(sa.delete(case_parties))
        run = Run(store, case_id, random.Random(seed))
        for number in range(1, count + 1):
            interleave(run)
            if number % TOLD_EACH == 0:
                sys.stderr.write(f"{json.dumps(run.figures)}\n")
        _told(run)
    run.figures["lost or doubled"] = len(run.wrong)
    return run.figures, run.wrong


def _told(run: Run) -> None:
    """Each edit that was taken stands in the journal and in the case's log, once; each title follows the last."""
    documents = [json.loads(row.document) for row in journal.read(run.store, kinds=["decision"])]
    told = Counter(each["decision"] for each in documents if each["decision"] != "case.opened")
    run.check(told == run.model.told, f"journaled {dict(told)}, taken {dict(run.model.told)}")
    titles = [each for each in documents if each["decision"] == "case.titled"]
    before = ["0", *(each["to"]["title"] for each in titles)]
    run.check([each["from"]["title"] for each in titles] == before[:-1], "a title does not follow the last")
    with run.store.read() as conn:
        logged = conn.execute(sa.select(sa.func.count()).select_from(case_log)).scalar()
    run.check(logged == told.total() + 1, f"{logged} lines in the log")


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("count", type=int, nargs="?", default=10_000)
    parser.add_argument("--seed", type=int, default=7)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="txmon-cases-") as folder:
        figures, wrong = run_all(Path(folder), asked.count, asked.seed)
    for each in wrong[:20]:
        sys.stderr.write(f"{each}\n")
    sys.stdout.write(json.dumps(figures) + "\n")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
