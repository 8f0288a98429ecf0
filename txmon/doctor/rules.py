"""Checks of what decides outcomes: rule files, their lock, the config in force, lists, exchange rates.

Owns what counts as old. Loads rules and never runs one.
"""

from __future__ import annotations

import csv
import datetime as dt
from collections.abc import Iterator

from txmon.doctor.ground import Ground
from txmon.doctor.report import FAIL, OK, SKIPPED, WARN, Finding
from txmon.errors import RuleError, RuleErrors
from txmon.model.rates import MAX_AGE_DAYS, load_rates
from txmon.pipeline.config import Config
from txmon.rules.lock import NAME, check_lock
from txmon.rules.pack import default_pack, read_pack

_SHOWN = 10
_RATES_SOON_DAYS = 3
_LIST_SOON_DAYS = 30
_DAY_US = 86_400_000_000


def files(ground: Ground) -> Iterator[Finding]:
    """Load every rule; the packs that ship strictly."""
    s = ground.settings
    try:
        pack = read_pack(
            s.rules, base_currency=s.base_currency, entity_tz=s.entity_tz, strict=s.rules is None
        )
    except RuleErrors as errors:
        yield from _errors(errors.errors, "correct it; `txmon rules check` shows all errors")
        return
    yield Finding(OK, f"{len(pack.rules)} rules are right, {len(pack.plan.rules)} are scored")


def _errors(errors: tuple[RuleError, ...], remedy: str) -> Iterator[Finding]:
    for error in errors[:_SHOWN]:
        yield Finding(FAIL, str(error), remedy)
    if len(errors) > _SHOWN:
        yield Finding(FAIL, f"{len(errors) - _SHOWN} more errors in the rules", remedy)


def lock(ground: Ground) -> Iterator[Finding]:
    """Compare every rule with its pin: no change without a new version."""
    s = ground.settings
    root = s.rules or default_pack()
    if not (root / NAME).exists():
        yield Finding(WARN, f"{root} has no {NAME}", "make it with `txmon rules lock`, and keep it in git")
        return
    try:
        pack = read_pack(s.rules, base_currency=s.base_currency, entity_tz=s.entity_tz)
    except RuleErrors:
        yield Finding(SKIPPED, "the rules cannot be loaded; see rules.files")
        return
    errors: list[RuleError] = []
    check_lock(root, pack.files, errors)
    yield from _errors(tuple(errors), "give the rule a new version, then `txmon rules lock`")
    if not errors:
        yield Finding(OK, f"{len(pack.files)} rules are as {NAME} pins them")


def in_force(ground: Ground) -> Iterator[Finding]:
    """Compare the files with the config that the journal says is in force."""
    try:
        staged = ground.from_files
    except RuleErrors:
        yield Finding(SKIPPED, "the rules cannot be loaded; see rules.files")
        return
    active = ground.in_force
    if active is None:
        yield Finding(OK, "nothing is in force yet: the first start takes what the files say")
    elif active.essence == staged.essence:
        yield Finding(OK, f"the files are the config in force, {active.id[:12]}")
    else:
        text = f"the files differ from the config in force {active.id[:12]}: {_difference(active, staged)}"
        remedy = "two people put it in force: `POST /v1/rules:activate`; or bring the files back"
        yield Finding(WARN, text, remedy)


def _difference(active: Config, staged: Config) -> str:
    old = {rule.id: rule.content_hash for rule in active.plan.rules}
    new = {rule.id: rule.content_hash for rule in staged.plan.rules}
    parts = []
    for count, what in (
        (len(new.keys() - old.keys()), "new"),
        (len(old.keys() - new.keys()), "gone"),
        (sum(old[name] != new[name] for name in old.keys() & new.keys()), "changed"),
    ):
        if count:
            parts.append(f"{count} rules {what}")
    return ", ".join(parts) or "lists, rates, bounds or other settings of it"


def lists(ground: Ground) -> Iterator[Finding]:
    """Look for lists whose entries have all expired, or will soon."""
    try:
        found = ground.from_files.plan.lists
    except RuleErrors:
        yield Finding(SKIPPED, "the rules cannot be loaded; see rules.files")
        return
    today = ground.clock.now_us() // _DAY_US
    for name, listed in found.items():
        if not listed.entries:
            yield Finding(WARN, f"list {name} is empty", f"fill it: {listed.path}")
            continue
        ends = [entry.valid_to for entry in listed.entries]
        last = None if None in ends else max(end for end in ends if end is not None)
        if last is not None and last < today:
            yield Finding(WARN, f"list {name}: every entry has expired", f"renew it: {listed.path}")
        elif last is not None and last - today < _LIST_SOON_DAYS:
            text = f"list {name}: its last entry expires in {last - today} days"
            yield Finding(WARN, text, f"renew it: {listed.path}")
    yield Finding(OK, f"{len(found)} lists")


def rates(ground: Ground) -> Iterator[Finding]:
    """Look how old the newest exchange rate is."""
    path, base = ground.settings.rates_file, ground.settings.base_currency
    if path is None:
        yield Finding(OK, f"no exchange rates: amounts in {base} only; others are counted as unconverted")
        return
    load_rates(path, base)
    newest: dict[str, dt.date] = {}
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            if row["base"] == base:
                day = dt.date.fromisoformat(row["date"])
                newest[row["currency"]] = max(day, newest.get(row["currency"], day))
    if not newest:
        yield Finding(FAIL, f"{path} has no rate into {base}", "add rows whose `base` is TXMON_BASE_CURRENCY")
        return
    today = dt.date(1970, 1, 1) + dt.timedelta(days=ground.clock.now_us() // _DAY_US)
    remedy = f"bring {path} up to date each day; two people put it in force"
    for currency, day in sorted(newest.items()):
        age = (today - day).days
        if age > MAX_AGE_DAYS:
            text = f"the newest rate of {currency} is of {day}: amounts in it are not converted any more"
            yield Finding(FAIL, text, remedy)
        elif age > _RATES_SOON_DAYS:
            yield Finding(WARN, f"the newest rate of {currency} is {age} days old", remedy)
    yield Finding(OK, f"rates of {len(newest)} currencies into {base}")
