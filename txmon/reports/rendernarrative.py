"""The narrative, drafted: who, what, when, where, why and how, from recorded facts alone.

Every sentence states a field of the report or repeats a recorded fact word for word, and cites the events it
rests on. A possible victim is never named: they are "possible victim A". The draft is unsigned; a person
completes and signs it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from string import ascii_uppercase

from txmon.reports.model import (
    Account,
    EventRef,
    Fact,
    Money,
    Narrative,
    Paragraph,
    Party,
    Question,
    Report,
    Role,
    Side,
    Transaction,
)

LIMIT = 8000  # characters that the narrowest of the usual formats takes


@dataclass(frozen=True)
class Detail:
    """How much is told one by one; what is beyond is added up or counted, never left out silently."""

    transactions: int
    pairs: int  # of ends, where transactions are added up
    accounts: int
    indicators: int
    events: int  # named after one sentence


_DETAILS = (
    Detail(20, 40, 20, 20, 12),
    Detail(8, 20, 10, 10, 6),
    Detail(4, 8, 5, 6, 3),
    Detail(0, 4, 2, 3, 2),
)


def draft(report: Report, limit: int = LIMIT) -> Narrative:
    """Return an unsigned narrative of a report's recorded facts.

    Args:
        limit: characters. Where they are not enough, less is told one by one and more is added up. Recorded
            facts are always told, so a narrative may still be too long: the check of a format says so.
    """
    made = (_draft(report, detail) for detail in _DETAILS)
    return next((told for told in made if len(told.text) <= limit), _draft(report, _DETAILS[-1]))


def _draft(report: Report, detail: Detail) -> Narrative:
    told = _Told(report, detail)
    parts = (
        ("Summary", told.summary()),
        ("Who", told.who()),
        ("Accounts", told.accounts()),
        ("What and when", told.chronology()),
        ("Where", told.facts(Question.WHERE)),
        ("Why it is suspicious", told.why()),
        ("How", told.facts(Question.HOW)),
        ("What would have been usual", told.facts(Question.USUAL)),
        ("Possible victims", told.victims()),
        ("What was done", told.actions()),
        ("Attached", told.attached()),
    )
    paragraphs = []
    for heading, sentences in parts:
        made = list(sentences)
        if made:
            text = " ".join(text for text, _ in made)
            events = tuple(dict.fromkeys(event for _, cited in made for event in cited))
            paragraphs.append(Paragraph(heading=heading, text=f"{heading}: {text}", events=events))
    return Narrative(paragraphs=tuple(paragraphs), language="en")


Sentence = tuple[str, tuple[EventRef, ...]]


class _Told:
    """Tells one report; knows what each party is called."""

    def __init__(self, report: Report, detail: Detail) -> None:
        self.report = report
        self.detail = detail
        victims = [p.party_id for p in report.parties if p.possible_victim]
        self._victims = {party: f"possible victim {_letter(i)}" for i, party in enumerate(victims)}

    def name(self, party_id: str | None) -> str:
        """Return what a party is called here; never the name of a possible victim."""
        if party_id in self._victims:
            return self._victims[party_id]
        party = self.report.party(party_id)
        if party is None:
            return "an unknown party"
        return party.name or f"party {party.party_id}"

    def summary(self) -> Iterator[Sentence]:
        """Tell the time, the amount and the kind of it, and whom the report suspects."""
        what = self.report.activity
        mark = f"{self.report.mark}. " if self.report.mark else ""
        terms = f"{'; '.join(what.key_terms)}. " if what.key_terms else ""
        kinds = ", ".join((*what.typologies, *filter(None, (what.other_text,))))
        filer = self.report.filer.organisation.name
        yield f"{mark}{terms}{filer} reports activity of the kind {kinds or 'unknown'}.", ()
        if what.first is not None:
            end = "and goes on" if what.last is None else f"and {what.last:%Y-%m-%d %H:%M} UTC"
            yield f"It took place between {what.first:%Y-%m-%d %H:%M} UTC {end}.", ()
        if what.total is not None:
            yield f"The total is {what.total.text}.", ()
        subjects = [self.name(s.party_id) for s in self.report.nameable_subjects]
        yield (f"Subject: {', '.join(subjects)}." if subjects else "The subject is unknown."), ()
        prior = self.report.prior_filing
        if prior is not None:
            yield (
                f"It is a {self.report.kind} report; the earlier one has the reference {prior.reference}.",
                (),
            )

    def who(self) -> Iterator[Sentence]:
        """Tell each party who is no possible victim, with the roles on record."""
        subjects = {s.party_id for s in self.report.subjects}
        others = [p for p in self.report.parties if not p.possible_victim]
        others.sort(key=lambda p: p.party_id not in subjects)
        most = max(self.detail.accounts, len(subjects))
        for party in others[:most]:
            yield f"{self.name(party.party_id)}: {_roles(party.roles)}{_is(party)}.", ()
        if len(others) > most:
            yield f"{len(others) - most} more parties take part.", ()
        for subject in self.report.subjects:
            if subject.party_id not in self._victims and subject.reason:
                who = "Subject" if subject.party_id is None else self.name(subject.party_id)
                yield _closed(f"{who}: {subject.reason}"), ()
        yield from self.facts(Question.WHO)

    def accounts(self) -> Iterator[Sentence]:
        """Tell each account with its holders, the filer's own first; of many the others are counted."""
        ordered = sorted(self.report.accounts, key=lambda a: not a.is_client)
        for account in ordered[: self.detail.accounts]:
            yield self._account(account), account.events
        rest = len(ordered) - self.detail.accounts
        if rest > 0:
            yield f"{rest} more accounts take part.", ()

    def _account(self, account: Account) -> str:
        holders = ", ".join(self.name(h.party_id) for h in account.holders) or "an unknown party"
        opened = f", opened on {account.opened_on}" if account.opened_on else ""
        kind = account.kind.replace("_", " ")
        return f"Account {account.number} ({kind}) is held by {holders}{opened}; status {account.status}."

    def chronology(self) -> Iterator[Sentence]:
        """Tell the transactions in order of time, or their sums where there are many."""
        moved = sorted(self.report.transactions, key=lambda t: (t.at, t.transaction_id))
        if len(moved) <= self.detail.transactions:
            for one in moved:
                yield self._transaction(one), one.events
        else:
            yield from self._sums(moved)
        yield from self.facts(Question.WHAT, Question.WHEN)

    def _transaction(self, moved: Transaction) -> str:
        money = moved.amount.text
        what = f"an attempt was made to move {money}" if moved.attempted else f"{money} moved"
        ends = f"from {self._end(moved.from_side)} to {self._end(moved.to_side)} by {moved.method}"
        return f"On {moved.at:%Y-%m-%d %H:%M} UTC {what} {ends}{self.cite(moved.events)}."

    def _end(self, side: Side) -> str:
        account = self.report.account(side.account_id)
        if account is not None:
            return f"account {account.number}"
        return self.name(side.party_id)

    def _sums(self, moved: Sequence[Transaction]) -> Iterator[Sentence]:
        groups: dict[tuple[str, str, str], list[Transaction]] = {}
        for one in moved:
            key = (self._end(one.from_side), self._end(one.to_side), one.amount.currency)
            groups.setdefault(key, []).append(one)
        largest = sorted(groups.items(), key=lambda item: -len(item[1]))
        told = sorted(largest[: self.detail.pairs], key=lambda item: item[1][0].at)
        for (source, target, _), members in told:
            yield self._sum(f"From {source} to {target}", members)
        rest = [one for _, members in largest[self.detail.pairs :] for one in members]
        for currency in sorted({one.amount.currency for one in rest}):
            members = sorted((o for o in rest if o.amount.currency == currency), key=lambda o: o.at)
            yield self._sum("Between other accounts", members)

    def _sum(self, ends: str, members: Sequence[Transaction]) -> Sentence:
        """Tell transactions of one currency, in order of time, as one: those that were only tried apart."""
        events = tuple(event for one in members for event in one.events)
        done = [one for one in members if not one.attempted]
        total = Money(minor=sum(one.amount.minor for one in done), currency=members[0].amount.currency)
        span = f"between {members[0].at:%Y-%m-%d %H:%M} and {members[-1].at:%Y-%m-%d %H:%M} UTC"
        count = f"{len(members)} transactions" if len(members) > 1 else "1 transaction"
        tried = f", {len(members) - len(done)} of them only tried" if len(done) < len(members) else ""
        return f"{ends}: {count}{tried}, {total.text} in all, {span}{self.cite(events)}.", events

    def why(self) -> Iterator[Sentence]:
        """Tell what rules and people saw, with the numbers on record."""
        for seen in self.report.indicators[: self.detail.indicators]:
            rule = f" (rule {seen.rule_id} version {seen.rule_version})" if seen.rule_id else ""
            values = "; ".join(f"{name} {value}" for name, value in seen.values.items())
            told = f"{seen.text.rstrip('.')}{rule}{': ' + values if values else ''}"
            yield f"{told}{self.cite(seen.events)}.", seen.events
        rest = self.report.indicators[self.detail.indicators :]
        if rest:
            events = tuple(event for seen in rest for event in seen.events)
            rules = ", ".join(dict.fromkeys(seen.rule_id for seen in rest if seen.rule_id))
            by = f" by the rules {rules}" if rules else ""
            yield f"{len(rest)} more indicators were seen{by}{self.cite(events)}.", events
        yield from self.facts(Question.WHY)

    def victims(self) -> Iterator[Sentence]:
        """Tell of possible victims without their names."""
        if self._victims:
            names = ", ".join(self._victims.values())
            yield f"Among the parties may be victims ({names}); they are no subjects of this report.", ()
        yield from self.facts(Question.VICTIM)

    def actions(self) -> Iterator[Sentence]:
        """Tell what the filer did."""
        for action in self.report.actions:
            when = f" ({action.at:%Y-%m-%d})" if action.at else ""
            yield f"{action.text.rstrip('.')}{when}.", ()
        yield from self.facts(Question.ACTION)

    def attached(self) -> Iterator[Sentence]:
        """Tell what goes along; nothing is told by an attachment alone."""
        for attached in self.report.attachments:
            about = f": {attached.description}" if attached.description else ""
            yield _closed(f"{attached.name}{about}"), ()

    def facts(self, *questions: Question) -> Iterator[Sentence]:
        """Repeat the recorded facts that answer these questions, word for word."""
        for fact in self.report.facts:
            if fact.question in questions and fact.text.strip():
                yield f"{fact.text.strip().rstrip('.')}{self._source(fact)}.", fact.events

    def _source(self, fact: Fact) -> str:
        return self.cite(fact.events) if fact.events else f" (recorded by {fact.author})"

    def cite(self, events: Sequence[EventRef]) -> str:
        """Return events in brackets; of many the rest is counted."""
        if not events:
            return ""
        named = self.detail.events
        more = f" and {len(events) - named} more" if len(events) > named else ""
        return f" [{', '.join(event.text for event in events[:named])}{more}]"


def _letter(place: int) -> str:
    return ascii_uppercase[place] if place < len(ascii_uppercase) else str(place + 1)


def _roles(roles: Iterable[Role]) -> str:
    return ", ".join(role.value.replace("_", " ") for role in roles)


def _is(party: Party) -> str:
    return ", a customer of the filer" if party.is_client else ""


def _closed(text: str) -> str:
    return f"{text.strip().rstrip('.')}."
