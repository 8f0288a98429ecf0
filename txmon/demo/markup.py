"""The few pieces of HTML that the page is made of. Every text is escaped here, markup is `Markup`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape


class Markup(str):
    """Text that already is HTML."""

    __slots__ = ()


def html(value: object) -> str:
    """Return a value as HTML text; `Markup` stays as it is."""
    return value if isinstance(value, Markup) else escape(str(value))


def tag(name: str, *inner: object, **attributes: object) -> Markup:
    """Return an element; ``class_`` and ``aria_label`` become ``class`` and ``aria-label``."""
    named = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(str(value))}"'
        for key, value in attributes.items()
        if value
    )
    return Markup(f"<{name}{named}>{''.join(html(part) for part in inner)}</{name}>")


def join(parts: Iterable[object]) -> Markup:
    """Return pieces one after the other."""
    return Markup("".join(html(part) for part in parts))


def items(texts: Iterable[object]) -> Markup:
    """Return an unordered list."""
    return tag("ul", *(tag("li", text) for text in texts))


def table(heads: Sequence[str], rows: Iterable[Sequence[object]], kinds: Sequence[str] = ()) -> Markup:
    """Return a table that may scroll sideways; a head that starts with '#' is a column of numbers.

    `kinds` are the classes of the rows, one a row, or none.
    """
    numeric = [head.startswith("#") for head in heads]
    head = [
        tag("th", h.removeprefix("#"), class_="n" if n else "") for h, n in zip(heads, numeric, strict=True)
    ]
    body = [
        tag(
            "tr",
            *(tag("td", value, class_="n" if n else "") for value, n in zip(row, numeric, strict=True)),
            class_=kinds[place] if kinds else "",
        )
        for place, row in enumerate(rows)
    ]
    inner = tag("table", tag("thead", tag("tr", *head)), tag("tbody", *body))
    return tag("div", inner, class_="scroll")


def section(title: str, *inner: object) -> Markup:
    """Return a section under its heading."""
    return tag("section", tag("h2", title), *inner)
