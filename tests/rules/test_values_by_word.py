"""Expressions over one text column give by word what they give row by row."""

from __future__ import annotations

import pytest
from rulekit import ListFrame, typed
from txkit import compile_expr

from txmon.rules.words import MOST_WORDS, WordBook

TEXTS = (
    "merchant in ('a', 'b')",
    "coalesce(merchant, 'none')",
    "case when merchant is null then null when merchant = 'a' then 'first' else 'other' end",
    "length(merchant)",
    "merchant is null",
    "cast(merchant as double)",
)


@pytest.mark.parametrize("text", TEXTS)
def test_words_of_later_batches(text: str) -> None:
    run, book = compile_expr(typed(text)), WordBook()
    for merchants in (["a", None, "b", "a"], ["c", "12.5"], [None, None], ["c", "a", None, "d"]):
        by_word, by_row = ListFrame({"merchant": merchants}), ListFrame({"merchant": merchants})
        by_word.book, by_row.book = book, None
        assert run(by_word).to_pylist() == run(by_row).to_pylist()


def test_a_column_with_many_words_is_evaluated_row_by_row() -> None:
    run, book = compile_expr(typed("length(merchant)")), WordBook()
    for width in (1, 2, 3):
        merchants = [f"{i:0{width * 4}}" for i in range(MOST_WORDS - 1)] + [None]
        frame = ListFrame({"merchant": merchants})
        frame.book = book
        assert run(frame).to_pylist() == [width * 4] * (MOST_WORDS - 1) + [None]
    assert book.numbers("merchant", frame.vec("merchant", typed("merchant").unit)) is None
