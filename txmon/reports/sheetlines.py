"""Lines that sheets share: parties, accounts, transactions; and what must not stand in them.

A possible victim is never named in a line of a subject; links are never written where a case forbids them.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from typing import Final

from txmon.reports.fincen_text import line
from txmon.reports.formats import Finding, Level
from txmon.reports.model import Address, Party, Report, Transaction
from txmon.reports.sheets import Section, Sheet
from txmon.reports.victimwords import called_victim, plain, told

LINK: Final = re.compile(
    r"(?i:(?:[a-z][a-z0-9+.-]*://|www\.|hxxps?\W|magnet:)\S+)|"
    r"(?<![@\w.-])(?:[A-Za-z0-9-]+\.)+(?:[a-z]{2,24}|COM|NET|ORG|INFO|ONION|XYZ|SITE|CLUB)\b(?!@)(?:/\S*)?"
)
MEDIA: Final = re.compile(r"data:[a-z]+/[a-z0-9.+-]+[;,]|[A-Za-z0-9+/]{200,}={0,2}", re.IGNORECASE)
WITHHELD: Final = "[link withheld]"


def party_lines(section: Section, report: Report, party: Party, *, links: bool) -> None:
    """Append what is known of a subject."""
    at = f"parties[{report.parties.index(party)}]"
    section.put("Name", party.name, f"{at}.{'entity' if party.entity else 'person'}", unknown="unknown")
    if party.person is not None:
        person = party.person
        for index, alias in enumerate(person.aliases):
            section.put("Also known as", alias, f"{at}.person.aliases[{index}]")
        born = person.born_on.isoformat() if person.born_on else ""
        section.put("Date of birth", born, f"{at}.person.born_on", unknown="unknown")
        section.put("Occupation", person.occupation, f"{at}.person.occupation")
    if party.entity is not None:
        entity = party.entity
        for index, name in enumerate(entity.trade_names):
            section.put("Trading as", unlinked(name, links), f"{at}.entity.trade_names[{index}]")
        section.put("Company number", entity.registration_number, f"{at}.entity.registration_number")
        section.put("Country of registration", entity.registration_country)
        section.put("Business", unlinked(entity.business, links), f"{at}.entity.business")
    for index, address in enumerate(party.addresses):
        section.put("Address", address_text(address), f"{at}.addresses[{index}]")
    for index, phone in enumerate(party.phones):
        section.put(
            "Telephone",
            f"+{phone.prefix} {phone.number}" if phone.prefix else phone.number,
            f"{at}.phones[{index}]",
        )
    for index, email in enumerate(party.emails):
        section.put("E-mail", email, f"{at}.emails[{index}]")
    for index, handle in enumerate(party.handles):
        section.put("Handle", unlinked(handle, links), f"{at}.handles[{index}]")
    for index, identifier in enumerate(party.identifiers):
        text = f"{identifier.kind.replace('_', ' ')} {identifier.number} {identifier.country}"
        section.put("Identification", text, f"{at}.identifiers[{index}]")
    if links:
        for index, url in enumerate(party.urls):
            section.put("Site", url, f"{at}.urls[{index}]")


def account_lines(section: Section, report: Report, *, links: bool) -> None:
    """Append the accounts; a holder who may be a victim is not named."""
    for index, account in enumerate(report.accounts):
        holders = [report.party(h.party_id) for h in account.holders]
        names = [p.name for p in holders if p is not None and not p.possible_victim and p.name]
        keeper = report.filer.organisation if account.is_client else account.institution
        parts = [
            line(account.iban or account.number),
            account.kind.replace("_", " "),
            account.currency,
            keeper.name if keeper else "",
            f"held by {', '.join(names)}" if names else "",
            f"opened {account.opened_on}" if account.opened_on else "",
            account.status if account.status != "unknown" else "",
        ]
        section.put("Account", unlinked("; ".join(p for p in parts if p), links), f"accounts[{index}]")


def transaction_lines(section: Section, report: Report, *, links: bool) -> None:
    """Append the suspicious transactions, each with the events it rests on."""
    for index, transaction in enumerate(report.transactions):
        if transaction.suspicious:
            text = _transaction(report, transaction)
            section.put("Transaction", unlinked(text, links), f"transactions[{index}]")


def address_text(address: Address) -> str:
    """Return an address on one line."""
    parts = (address.street, address.city, address.state, address.postcode, address.country)
    return ", ".join(line(p) for p in parts if line(p))


def unlinked(text: str, links: bool = False) -> str:
    """Return a text without links, unless they may stand."""
    return text if links else LINK.sub(WITHHELD, text)


def subject_faults(sheet: Sheet, said: str, protected: Collection[str], code: str) -> Iterator[Finding]:
    """Give each subject of a sheet who may be a victim, by the text alone or by names that are handed in."""
    sentences, known = told(said), {plain(name) for name in protected} - {""}
    for section in sheet.sections:
        if "SUBJECT" not in section.title:
            continue
        for one in section.lines:
            if one.label not in ("Name", "Also known as", "Trading as", "Identification"):
                continue
            name = plain(one.value)
            named = name in known or any(f" {k} " in f" {name} " for k in known if " " in k or len(k) > 5)
            if named or (" " in name and called_victim(name, sentences)):
                yield fault(
                    f"{code}_victim",
                    f"{section.title}/{one.label}",
                    one.number,
                    "a possible victim is a subject",
                    "leave them out; where nobody else is known, the subject is unknown",
                )


def fault(
    code: str, path: str, number: int, message: str, remedy: str, level: Level = Level.ERROR
) -> Finding:
    """Return a finding at a line of a sheet."""
    return Finding(code=code, path=path, line=number, message=message, remedy=remedy, level=level)


def _transaction(report: Report, transaction: Transaction) -> str:
    ends = []
    for side in (transaction.from_side, transaction.to_side):
        party, account = report.party(side.party_id), report.account(side.account_id)
        shown = "a protected person" if party and party.possible_victim else party.name if party else ""
        number = line(account.iban or account.number) if account else ""
        ends.append(" ".join(p for p in (shown, f"account {number}" if number else "") if p) or "not known")
    parts = [
        f"{transaction.at:%Y-%m-%d %H:%M:%S} UTC",
        transaction.amount.text,
        f"from {ends[0]} to {ends[1]}",
        f"by {transaction.method}" + (" (attempt)" if transaction.attempted else ""),
        "events " + ", ".join(e.text for e in transaction.events) if transaction.events else "",
    ]
    return "; ".join(p for p in parts if p)
