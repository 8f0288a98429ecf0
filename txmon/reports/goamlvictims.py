"""A possible victim is never the subject of a goAML report: seen in the text, or by names handed in.

Who may be a victim shows by the protection of a person, by words beside them, by the same number or the same
name and birthday elsewhere in the file, by what the narrative calls them, or by what whoever checks knows.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

from lxml import etree

from txmon.reports.formats import Finding
from txmon.reports.goamlparty import VICTIM_REMARK
from txmon.reports.goamltext import Node, Walk
from txmon.reports.victimwords import called_victim, plain, says_victim, told

_PERSONS = ("t_person", "t_person_my_client", "t_conductor", "t_conductor_my_client", "director_id")
SIDES = ("t_from", "t_from_my_client", "t_to", "t_to_my_client")
_PARTIES = ("t_party", "report_party_type")
_TOLD = ("reason", "action", "transaction_description", "comments", "transaction_location")
_NUMBERS = ("id_number", "passport_number", "ssn")
_SHORTEST = 4  # of a number that says who somebody is
_REMEDY = "take the suspicion away: a possible victim is no subject; file the subject as unknown"
Keys = frozenset[tuple[str, ...]]


def findings(walk: Walk, protected: Collection[str]) -> Iterator[Finding]:
    """Find each possible victim who is suspected.

    Args:
        protected: names and numbers (documents, accounts) of the possible victims of the case
    """
    look = _Look(walk, protected)
    for node in walk.typed(*SIDES, *_PARTIES):
        if look.conducted_by_victim(node):
            yield node.finding("victim_as_subject", "suspects a conductor who may be a victim", _REMEDY)
        if look.suspected(node) and look.only_victims(node):
            yield node.finding("victim_as_subject", "suspects a person who may be a victim", _REMEDY)


class _Look:
    """What a file and whoever checks it know of possible victims."""

    def __init__(self, walk: Walk, protected: Collection[str]) -> None:
        unknown = {walk.profile.constants["unknown_name"], walk.profile.constants["unknown_code"], "N"}
        self._unknown = {_compact(word) for word in unknown}
        self._said = told("\n".join(node.text for node in walk.named(*_TOLD) if node.text))
        self._handed = {_compact(name) for name in protected} - {""}
        self._names = {_words(name) for name in protected} - {()}
        self._keys: set[tuple[str, ...]] = set()
        self._dated: set[tuple[str, ...]] = set()  # names of victims whose birthday is known
        self._undated: set[tuple[str, ...]] = set()
        for node in walk.typed(*_PERSONS):
            if _protected(node):
                self._keys |= self._known_by(node)
                (self._dated if node.value("birthdate") else self._undated).update(self._named(node))

    def suspected(self, node: Node) -> bool:
        """Say whether a side or party is suspected; who stands in an activity is, if nothing denies it."""
        flags = [
            c for c in node.element if str(c.tag) in ("from_is_suspected", "to_is_suspected", "is_suspected")
        ]
        if node.type == "report_party_type" and not flags:
            return True
        return any((flag.text or "").strip() in ("true", "1") for flag in flags)

    def conducted_by_victim(self, node: Node) -> bool:
        """Say whether the conductor of a side is suspected and may be a victim."""
        conductor = node.element.find("t_conductor")
        conducted = node.value("conductor_is_suspected") in ("true", "1")
        return conducted and conductor is not None and self._victim(Node(conductor, node.path, "t_person"))

    def only_victims(self, node: Node) -> bool:
        """Say whether everybody a side stands for may be a victim, or its account is a victim's."""
        if any(_compact(a.findtext("account") or "") in self._handed for a in _accounts(node)):
            return True
        people = _people(node)
        return bool(people) and all(self._victim(person) for person in people)

    def _victim(self, node: Node) -> bool:
        if _protected(node) or self._known_by(node) & self._keys:
            return True
        if any(key[1] in self._handed for key in self._known_by(node) if key[0] == "number"):
            return True
        namesakes = self._undated if node.value("birthdate") else self._undated | self._dated
        if self._named(node) & namesakes:
            return True  # one of the two has no birthday that would tell them apart
        names = _names(node)
        return any(_words(name) in self._names for name in names) or any(
            called_victim(plain(name), self._said) for name in names
        )

    def _named(self, node: Node) -> set[tuple[str, ...]]:
        return {w for name in _names(node) if not self._unknown & set(w := _words(name))}

    def _known_by(self, node: Node) -> Keys:
        """Return what tells a person from others: numbers, and names with the birthday."""
        numbers = [node.value(name) for name in _NUMBERS]
        numbers += [e.text or "" for e in node.element.iterfind("identifications/identification/number")]
        found = {("number", _compact(n)) for n in numbers if len(_compact(n)) >= _SHORTEST}
        born = node.value("birthdate")[:10]
        names = {("born", *words, born) for words in self._named(node) if born}
        return frozenset({key for key in found if key[1] not in self._unknown} | names)


def _people(node: Node) -> list[Node]:
    """Return the natural persons whom a side or party stands for, or the entity itself."""
    out = []
    for child in node.element:
        name = str(child.tag).removesuffix("_my_client").removeprefix("from_").removeprefix("to_")
        if name in ("person", "entity"):
            out.append(Node(child, node.path, name))
        if name == "account":
            out += [Node(p, node.path, "person") for p in child.iterfind("signatory/t_person")]
            out += [Node(p, node.path, "person") for p in child.iterfind("related_persons/*/t_person")]
    return out


def _accounts(node: Node) -> Iterator[etree._Element]:
    return (child for child in node.element if "account" in str(child.tag))


def _protected(node: Node) -> bool:
    """Say whether a person is protected, or the words beside them say that they may be a victim."""
    comments = node.value("comments")
    said = comments == VICTIM_REMARK or says_victim(comments)
    return said or node.value("is_protected") in ("true", "1")


def _names(node: Node) -> list[str]:
    """Return how somebody is called, in both orders; a lone word says too little."""
    first, last = node.value("first_name"), node.value("last_name")
    whole = [f"{first} {last}", f"{last} {first}"] if first and last else []
    return [name for name in (*whole, node.value("name")) if len(_words(name)) > 1]


def _words(name: str) -> tuple[str, ...]:
    """Return the words of a name in an order of their own, empty for a lone one."""
    words = tuple(sorted(plain(name).split()))
    return words if len(words) > 1 else ()


def _compact(text: str) -> str:
    return plain(text).replace(" ", "")
