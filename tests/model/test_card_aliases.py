"""A card keeps its token when the key changes, for as long as its alias is known."""

from __future__ import annotations

import random

import pytest

from txmon.model import aliases as module
from txmon.model.aliases import Aliases, NewAliases, spelled
from txmon.model.keys import PanKey, key_of
from txmon.model.pan import Tokeniser

OLD, NEW, THIRD = (key_of(bytes([i]) * 32) for i in (1, 2, 3))
BOTH = PanKey(OLD.id, OLD.secret, NEW)
CARDS = [f"4{i:014d}" for i in range(500)]


def taken(tokeniser: Tokeniser) -> NewAliases:
    found = tokeniser.take_new()
    assert found is not None
    return found


def test_a_seen_card_keeps_its_token_and_any_other_gets_a_new_one() -> None:
    known = Aliases()
    before = Tokeniser(OLD, known)
    old = [before.token(card) for card in CARDS]
    assert before.take_new() is None
    during = Tokeniser(BOTH, known)
    assert [during.token(card) for card in CARDS[:300]] == old[:300]
    new = taken(during)
    assert len(new.pairs) == 300
    assert set(new.pairs.values()) == set(old[:300])
    assert len(known) == 0
    new.stored()
    assert len(known) == 300
    after = Tokeniser(NEW, known)
    assert [after.token(card) for card in CARDS[:300]] == old[:300]
    plain = Tokeniser(NEW)
    assert [after.token(card) for card in CARDS[300:]] == [plain.token(card) for card in CARDS[300:]]
    assert after.take_new() is None


def test_an_alias_is_given_until_it_is_stored_and_then_no_more() -> None:
    known = Aliases()
    during = Tokeniser(BOTH, known)
    for _ in range(2):  # a batch whose transaction failed: the card is seen again
        during.token(CARDS[0])
        new = taken(during)
        assert during.take_new() is None
    new.stored()
    during.token(CARDS[0])
    assert during.take_new() is None


def test_a_second_change_goes_on_with_the_first_token() -> None:
    known = Aliases()
    first = Tokeniser(OLD).token(CARDS[0])
    one = Tokeniser(BOTH, known)
    one.token(CARDS[0])
    taken(one).stored()
    two = Tokeniser(PanKey(NEW.id, NEW.secret, THIRD), known)
    assert two.token(CARDS[0]) == first
    second = two.token(CARDS[1])
    assert second == Tokeniser(NEW).token(CARDS[1])
    taken(two).stored()
    three = Tokeniser(THIRD, known)
    assert three.token(CARDS[0]) == first
    assert three.token(CARDS[1]) == second


def test_free_text_id_fields_and_card_fields_give_one_token() -> None:
    known = Aliases()
    number = "4111111111111111"
    old = Tokeniser(OLD).token(number)
    during = Tokeniser(BOTH, known)
    assert during.text(f"paid by {number}") == f"paid by {old}"
    taken(during).stored()
    after = Tokeniser(NEW, known)
    assert after.text("4111-1111 1111.1111", id_field=True) == old
    assert after.card("4111 1111 1111 1111").value == old


def test_a_token_that_comes_in_is_the_one_that_its_card_keeps() -> None:
    known = Aliases()
    during = Tokeniser(BOTH, known)
    old = during.token(CARDS[0])
    taken(during).stored()
    new = Tokeniser(NEW).token(CARDS[0])
    assert Tokeniser(NEW, known).card(new).value == old
    assert Tokeniser(NEW, known).card(old).value == old
    assert Tokeniser(NEW).card(new).value == new


def test_without_a_place_for_aliases_none_are_kept() -> None:
    tokeniser = Tokeniser(BOTH)
    assert tokeniser.token(CARDS[0]) == Tokeniser(OLD).token(CARDS[0])
    assert tokeniser.take_new() is None


def joined(pairs: dict[str, str]) -> bytes:
    return "".join(new + kept for new, kept in pairs.items()).encode()


@pytest.mark.parametrize("most", [0, 7, 1 << 30])
def test_found_is_what_was_added_however_it_was_kept(monkeypatch: pytest.MonkeyPatch, most: int) -> None:
    monkeypatch.setattr(module, "_RECENT", most)
    rng = random.Random(most)
    # zero bytes at either end must count, and neighbours must not be mixed up
    macs = [bytes(16), bytes(15) + b"\x01", b"\x01" + bytes(15), b"\xff" * 16]
    macs += [rng.randbytes(14) + bytes(2) for _ in range(200)] + [rng.randbytes(16) for _ in range(600)]
    known, model = Aliases(), {}
    for part in range(8):
        some = {
            spelled(key, m): spelled("0badcafe", rng.randbytes(14) + bytes(2))
            for key in ("00000001", "ffffffff")
            for m in rng.sample(macs, 200)
        }
        known.load(joined(some)) if part % 2 else known.add(some)
        model = some | model  # the first one stays
        assert len(known) == len(model)
        for key in ("00000001", "ffffffff"):
            for mac in macs:
                assert known.find(key, mac) == model.get(spelled(key, mac))
    assert known.find("00000002", macs[0]) is None
    known.load(b"")
    twice = spelled("00000002", macs[0])
    known.load((twice + spelled("0badcafe", macs[1]) + twice + spelled("0badcafe", macs[2])).encode())
    assert known.find("00000002", macs[0]) == spelled("0badcafe", macs[1])
