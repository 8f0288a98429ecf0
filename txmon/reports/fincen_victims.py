"""A possible victim is never the subject of a report: seen in the XML text alone, or by names handed in.

What is told of a victim stands in the narrative. The text alone shows it where a subject's relation says
so or where the narrative calls a subject's very name a possible victim; names of victims show the rest.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator

from txmon.reports.fincen_activityrules import narrative_text
from txmon.reports.fincen_codes import SUBJECT
from txmon.reports.fincen_read import Element, Faults, all_of, text
from txmon.reports.victimwords import called_victim, plain, told

_VICTIM_WORD = re.compile(r"\bvictim|\bsurvivor", re.IGNORECASE)
_REMEDY = "leave them out; where nobody else is known, file the subject as unknown"


def check_victims(activity: Element, protected: Collection[str], faults: Faults) -> None:
    """Add each subject who may be a victim.

    Args:
        protected: names and numbers (accounts, documents) of the possible victims of the case
    """
    said = told(narrative_text(activity))
    known = {plain(name) for name in protected} - {""}
    for party in all_of(activity, "Party"):
        if text(party, "ActivityPartyTypeCode") != SUBJECT:
            continue
        names = set(_names(party))
        if any(
            _VICTIM_WORD.search(text(r, "OtherPartyAssociationTypeText"))
            for r in all_of(party, "PartyAssociation")
        ):
            faults.error(
                "victim",
                party,
                "the relation of a subject says that they are a victim",
                _REMEDY,
                "PartyAssociation",
            )
        elif (names | set(_numbers(party))) & known:
            faults.error("victim", party, "a possible victim of the case is a subject", _REMEDY, "PartyName")
        elif any(called_victim(name, said) for name in names):
            faults.error(
                "victim", party, "the narrative calls this subject a possible victim", _REMEDY, "PartyName"
            )


def _names(party: Element) -> Iterator[str]:
    """Give each way in which a subject is called; a lone word says too little."""
    for name in all_of(party, "PartyName"):
        parts = [
            text(name, n)
            for n in ("RawIndividualFirstName", "RawIndividualMiddleName", "RawEntityIndividualLastName")
        ]
        first, _, last = parts
        for whole in (" ".join(parts), f"{first} {last}", f"{last} {first}", text(name, "RawPartyFullName")):
            found = plain(whole)
            if " " in found:
                yield found
        if plain(first) and plain(last):
            yield from (f"{title} {plain(last)}" for title in ("mr", "mrs", "ms", "miss"))


def _numbers(party: Element) -> Iterator[str]:
    for node in party.iter("{*}AccountNumberText", "{*}PartyIdentificationNumberText"):
        if (parent := node.getparent()) is not None and parent.getparent() is not None:
            yield plain(node.text or "")
