"""Card numbers become tokens in every spelling; other numbers stay what they are."""

from __future__ import annotations

import re

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from txmon.model.keys import PanKey
from txmon.model.pan import Tokeniser, candidates, known_scheme, luhn

TOKENISER = Tokeniser(PanKey("0123abcd", b"k" * 32))
VISA = "4111111111111111"
TOKEN = TOKENISER.token(VISA)
FULL_WIDTH = "".join(chr(0xFF10 + int(d)) for d in VISA)
ARABIC = "".join(chr(0x0660 + int(d)) for d in VISA)
MATHS = "".join(chr(0x1D7CE + int(d)) for d in VISA)


def check_digit(body: str) -> str:
    return next(d for d in "0123456789" if luhn(body + d))


numbers = st.builds(
    lambda prefix, body, n: prefix + (body * 2)[: n - len(prefix) - 1],
    st.sampled_from(["4", "51", "55", "2221", "34", "37", "6011", "36", "3528", "62"]),
    st.text("0123456789", min_size=19, max_size=19),
    st.just(16),
).map(lambda body: body + check_digit(body))
separators = st.sampled_from(["", " ", "-", ".", "\u00a0", "\u2009", "\u2010", "\u200b", " - ", "_", "\t"])


def test_the_token_says_key_and_nothing_of_the_number():
    assert re.fullmatch(r"pan_0123abcd_[a-p]{32}", TOKEN)
    assert Tokeniser(PanKey("0123abcd", b"j" * 32)).token(VISA) != TOKEN
    assert TOKENISER.text(TOKEN) == TOKEN


@pytest.mark.parametrize(
    "spelling",
    [
        VISA, "4111 1111 1111 1111", "4111-1111-1111-1111", "4111.1111.1111.1111", "41 11 11 11 11 11 11 11",
        "4111\u00a01111\u00a01111\u00a01111", "4111\u20111111\u20111111\u20111111", FULL_WIDTH, ARABIC, MATHS,
        "4111\u200b1111\u200b1111\u200b1111", "4111 - 1111 - 1111 - 1111",
    ],
)  # fmt: skip
def test_every_spelling_gives_the_same_token(spelling):
    for id_field in (False, True):
        assert TOKENISER.text(spelling, id_field=id_field) == TOKEN
        assert (
            TOKENISER.text(f"paid with {spelling}, thanks", id_field=id_field) == f"paid with {TOKEN}, thanks"
        )
    card = TOKENISER.card(spelling)
    assert (card.value, card.bin, card.last4) == (TOKEN, "411111", "1111")


@pytest.mark.parametrize("beside", ["12 25", "12/25", "123", "12-25 737", "2025-12-31"])
def test_a_date_or_check_code_beside_does_not_hide_a_number(beside):
    assert VISA not in TOKENISER.text(f"{VISA} {beside}").replace(" ", "")
    assert TOKENISER.text(f"{beside} {VISA}").endswith(TOKEN)


@pytest.mark.parametrize(
    "number", ["4222222222222", "36700102000000", "6200000000000000000", "5019717010103742"]
)
def test_short_and_long_numbers_of_known_schemes(number):
    assert TOKENISER.text(number, id_field=True) == TOKENISER.token(number)


def test_two_numbers_side_by_side():
    assert TOKENISER.text(f"{VISA} {VISA}") == f"{TOKEN} {TOKEN}"
    assert TOKENISER.text(f"{VISA},378282246310005").count("pan_") == 2


@pytest.mark.parametrize(
    "text",
    [
        "4111111111111112", "411111111111", "12345678901234567890123", "+49 170 1234567",
        "2026-01-05 12:00:00", "192.168.100.200", "3f2504e0-4f89-41d3-9a0c-0305e82c3301",
        "DE89 3704 0044 0532 0130 00", "", "a" * 40,
    ],
)  # fmt: skip
def test_other_numbers_stay(text):
    assert TOKENISER.text(text) == text


def test_ids_need_a_known_scheme():
    order = "9000000000000" + check_digit("9000000000000")
    assert luhn(order)
    assert not known_scheme(order)
    assert TOKENISER.text(order, id_field=True) == order
    assert TOKENISER.text(order).startswith("pan_")
    assert TOKENISER.text("BE68539007547034", id_field=True) == "BE68539007547034"
    assert TOKENISER.text("41111111-1111-1111-1111-111111111111", id_field=True).startswith("41111111")


def test_an_iban_that_checks_itself_is_no_card_number():
    # the digits 36 4111 ... would be a scheme's prefix; the account number is right by ISO 13616
    body = "00" + "1" * 10
    for check in range(2, 99):
        iban = f"BE{check:02d}{body}"
        turned = iban[4:] + iban[:4]
        if int("".join(str(int(c, 36)) for c in turned)) % 97 == 1:
            assert TOKENISER.text(iban, id_field=True) == iban
            break
    else:
        pytest.fail("no check digits found")


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        ("tok_123", True),
        ("0-1", True),
        (TOKEN, True),
        ("4111111111111112", False),
        ("9000000000000002", True),
    ],
)
def test_card_field(value, kept):
    """A mistyped number of a known scheme is hidden; other systems' tokens stay."""
    assert (TOKENISER.card(value).value == value) == kept


@given(numbers, separators, st.text(st.characters(exclude_categories=("Nd", "No", "Cs")), max_size=20))
def test_no_number_survives_in_text(number, separator, around):
    spelled = separator.join(number[i : i + 4] for i in range(0, 16, 4))
    clean = TOKENISER.text(f"{around}|{spelled}|{around}")
    assert TOKENISER.token(number) in clean
    assert number not in re.sub(r"\D", "", clean)


@given(st.text(max_size=60), st.booleans())
def test_tokenising_twice_changes_nothing(text, id_field):
    once = TOKENISER.text(text, id_field=id_field)
    assert TOKENISER.text(once, id_field=id_field) == once


def test_columns():
    clean = pa.array(["a", None, "short", "x" * 50])
    assert TOKENISER.column(clean) is clean
    dirty = pa.array(["a", VISA, None, f"memo {VISA}", FULL_WIDTH])
    want = ["a", TOKEN, None, f"memo {TOKEN}", TOKEN]
    assert TOKENISER.column(dirty).to_pylist() == want
    assert TOKENISER.column(dirty.slice(1, 3)).to_pylist() == want[1:4]
    coded = TOKENISER.column(dirty.dictionary_encode())
    assert coded.to_pylist() == want
    assert len(coded.dictionary) == len(set(coded.dictionary.to_pylist()))
    assert TOKENISER.column(pa.nulls(3, pa.string())).null_count == 3


def test_the_filter_misses_nothing():
    rows = ["x", VISA, "y" * 30, FULL_WIDTH, "1234567890123", None, "123456789012" + "z" * 9]
    assert set(candidates(pa.array(rows)).tolist()) == {1, 3, 4}
    assert candidates(pa.array(["long enough to look at " + VISA] * 3)).tolist() == [0, 1, 2]


@given(st.lists(st.one_of(st.none(), st.text(max_size=25), numbers), max_size=30), st.booleans())
def test_columns_equal_single_values(values, id_field):
    array = pa.array(values, pa.string())
    want = [None if v is None else TOKENISER.text(v, id_field=id_field) for v in values]
    assert TOKENISER.column(array, id_field=id_field).to_pylist() == want
    assert TOKENISER.column(array.dictionary_encode(), id_field=id_field).to_pylist() == want
