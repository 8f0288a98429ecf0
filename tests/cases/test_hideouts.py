"""Files that hide pictures, film, archives or programs in places of their own making are refused; plain ones taken."""

from __future__ import annotations

import hashlib

import pytest
from hideouts import harmless, places

from txmon.cases.sniff import DUTY, kind_of
from txmon.errors import InputError

PLACES = {what: (name, content) for what, name, content in places()}
HARMLESS = list(harmless())


def test_every_hiding_place_is_found() -> None:
    assert len({hashlib.sha256(content).digest() for _, content in PLACES.values()}) == len(PLACES) >= 200
    said = {what: verdict(*file) for what, file in PLACES.items()}
    assert [what for what, detail in said.items() if not detail.endswith(DUTY)] == []


def verdict(name: str, content: bytes) -> str:
    """The kind of a file that is taken, or what is said of one that is not."""
    try:
        return kind_of(name, content)
    except InputError as error:
        return error.detail


@pytest.mark.parametrize(("kind", "name", "content"), HARMLESS, ids=[each[1] for each in HARMLESS])
def test_what_people_attach_is_taken(kind: str, name: str, content: bytes) -> None:
    assert kind_of(name, content) == kind


def test_there_are_enough_of_them() -> None:
    assert len(HARMLESS) >= 30
