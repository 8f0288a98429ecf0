"""Expression text to syntax tree: exactly the SQL that a rule may use, with the place of every node.

A Pratt parser over DuckDB's operator precedence. What it has no form for is refused by name, so the
grammar is the allow-list: no subquery, no statement, no cast but the listed ones, no window but a bare
name. Predicates do not chain (``a = b = c``, ``a < b in (true)`` need parentheses), as DuckDB has it.
Owns syntax; never knows columns, units or functions.
"""

from __future__ import annotations

from collections.abc import Callable

from txmon.rules.syntax import (
    AMBIENT,
    CASTS,
    COMPARING,
    INTERVAL_UNITS,
    RESERVED,
    STATEMENTS,
    Node,
    describe,
    interval_us,
    number_value,
)
from txmon.rules.tokens import ExpressionError, Token, tokenize

__all__ = ["MAX_CHAIN", "Node", "parse"]

MAX_CHAIN = 40  # operators of one left-associative chain: bounds every later recursion


def parse(text: str) -> Node:
    """Parse one expression.

    Raises:
        ExpressionError: with the offset of the construct that is refused.
    """
    parser = _Parser(tokenize(text))
    node = parser.expression()
    parser.finish()
    return node


class _Parser:
    """Recursive descent over tokens; nesting is bounded by `tokenize`."""

    def __init__(self, tokens: list[Token]) -> None:
        self._tokens = tokens
        self._at = 0

    @property
    def _next(self) -> Token:
        return self._tokens[self._at]

    def _take(self) -> Token:
        token = self._tokens[self._at]
        self._at = min(self._at + 1, len(self._tokens) - 1)
        return token

    def _word(self, *words: str, ahead: int = 0) -> bool:
        token = self._tokens[min(self._at + ahead, len(self._tokens) - 1)]
        return token.kind == "name" and not token.quoted and token.text in words

    def _op(self, *ops: str) -> bool:
        return self._next.kind == "op" and self._next.text in ops

    def _expect_op(self, op: str, after: str) -> Token:
        if not self._op(op):
            raise self._wrong(f"expected `{op}` {after}, found {describe(self._next)}")
        return self._take()

    def _expect_word(self, word: str, after: str) -> Token:
        if not self._word(word):
            raise self._wrong(f"expected `{word}` {after}, found {describe(self._next)}")
        return self._take()

    def _wrong(self, detail: str) -> ExpressionError:
        """An error at the next token."""
        return ExpressionError(detail, self._next.start)

    def finish(self) -> None:
        """Refuse anything that follows the expression."""
        token = self._next
        if token.kind == "end":
            return
        if self._word("order", "limit", "union", "group", "from", "where", "having", "qualify", "window"):
            raise ExpressionError(
                f"clause `{token.text}` is not accepted: an expression, not a query", token.start
            )
        if self._word("as"):
            raise ExpressionError("an alias (`as`) is not accepted here", token.start)
        raise ExpressionError(f"expected an operator or the end, found {describe(token)}", token.start)

    # precedence, loosest first
    def expression(self) -> Node:
        return self._chain("or", lambda: self._chain("and", self._negation))

    def _chain(self, word: str, operand: Callable[[], Node]) -> Node:
        first = operand()
        kids = [first]
        while self._word(word):
            self._take()
            kids.append(operand())
        if len(kids) == 1:
            return first
        return Node(word, None, tuple(kids), first.start, kids[-1].end)

    def _negation(self) -> Node:
        if self._word("not"):
            token = self._take()
            kid = self._negation()
            return Node("not", None, (kid,), token.start, kid.end)
        return self._predicate()

    def _predicate(self) -> Node:
        left = self._binary(0)
        node = self._predicate_on(left)
        if node is not left and (self._op(*COMPARING) or self._word("is", "in", "like", "between", "not")):
            raise self._wrong(
                f"comparisons do not chain; put the side of `{describe(self._next, True)}` in parentheses"
            )
        return node

    def _predicate_on(self, left: Node) -> Node:
        if self._op(*COMPARING):
            op = self._take().text
            if self._word("all", "any", "some"):
                raise self._wrong(f"`{self._next.text} (...)` is a subquery form; not accepted")
            right = self._binary(0)
            return Node("binary", op, (left, right), left.start, right.end)
        if self._word("is"):
            return self._is(left)
        if self._word("isnull", "notnull"):
            raise self._wrong(f"`{self._next.text}` is not accepted; write `is [not] null`")
        negated = self._word("not") and self._word("in", "like", "between", ahead=1)
        if negated:
            self._take()
        node = left
        if self._word("in"):
            node = self._in(left)
        elif self._word("like"):
            self._take()
            pattern = self._binary(0)
            node = Node("like", None, (left, pattern), left.start, pattern.end)
            if self._word("escape"):
                raise self._wrong("`escape` is not accepted; use contains(x, '...')")
        elif self._word("between"):
            self._take()
            low = self._binary(0)
            self._expect_word("and", "between the bounds of `between`")
            high = self._binary(0)
            node = Node("between", None, (left, low, high), left.start, high.end)
        elif self._word("ilike", "similar", "glob"):
            raise self._wrong(f"`{self._next.text}` is not accepted; write lower(x) like '...'")
        return Node("not", None, (node,), node.start, node.end) if negated else node

    def _is(self, left: Node) -> Node:
        self._take()
        negated = self._word("not")
        if negated:
            self._take()
        if self._word("null"):
            end = self._take().end
            node = Node("is_null", None, (left,), left.start, end)
        elif self._word("true", "false"):
            token = self._take()
            value = Node("bool", token.text == "true", (), token.start, token.end)
            node = Node("is_not_distinct", None, (left, value), left.start, token.end)
        elif self._word("distinct"):
            self._take()
            self._expect_word("from", "after `is distinct`")
            right = self._binary(0)
            same = Node("is_not_distinct", None, (left, right), left.start, right.end)
            node = Node("not", None, (same,), left.start, right.end)
        else:
            raise self._wrong(
                f"expected null, true, false or `distinct from` after `is`, found {describe(self._next)}"
            )
        return Node("not", None, (node,), node.start, node.end) if negated else node

    def _in(self, left: Node) -> Node:
        self._take()
        if self._next.kind == "param":
            token = self._take()
            return Node("in_param", token.text, (left,), left.start, token.end)
        if self._word("list"):
            token = self._take()
            self._expect_op("(", "after `list`")
            name = self._take()
            if name.kind != "string":
                raise ExpressionError(
                    f"expected the list's name in '...', found {describe(name)}", name.start
                )
            end = self._expect_op(")", "after the list's name").end
            return Node("in_list", name.text, (left,), left.start, end)
        self._expect_op("(", "after `in`")
        if self._word("select", "with", "from", "values"):
            raise self._wrong("subquery is not accepted; use `in list('name')`")
        items = self._arguments()
        if not items:
            raise self._wrong("`in ()` has no values")
        end = self._expect_op(")", "after the values of `in`").end
        return Node("in", None, (left, *items), left.start, end)

    def _binary(self, level: int) -> Node:
        levels = (("||",), ("+", "-"), ("*", "/", "%"))
        if level == len(levels):
            return self._prefix()
        left = self._binary(level + 1)
        count = 0
        while self._op(*levels[level]):
            token = self._take()
            count += 1
            if count > MAX_CHAIN:
                raise ExpressionError(
                    f"more than {MAX_CHAIN} operators in a row; use parentheses", token.start
                )
            right = self._binary(level + 1)
            left = Node("binary", token.text, (left, right), left.start, right.end)
        return left

    def _prefix(self) -> Node:
        if self._op("-", "+"):
            token = self._take()
            kid = self._prefix()
            if token.text == "+":
                return Node("plus", None, (kid,), token.start, kid.end)
            return Node("neg", None, (kid,), token.start, kid.end)
        if self._word("not"):
            raise self._wrong("`not` needs parentheses here")
        return self._primary()

    def _primary(self) -> Node:
        token = self._take()
        if token.kind == "number":
            return Node("number", number_value(token), (), token.start, token.end)
        if token.kind == "string":
            return Node("string", token.text, (), token.start, token.end)
        if token.kind == "param":
            return Node("param", token.text, (), token.start, token.end)
        if token.kind == "op" and token.text == "(":
            return self._parenthesised(token)
        if token.kind == "op" and token.text == "*":
            raise ExpressionError("`*` stands only in count(*)", token.start)
        if token.kind == "name":
            return self._named(token)
        raise ExpressionError(f"expected a value, found {describe(token)}", token.start)

    def _parenthesised(self, opening: Token) -> Node:
        if self._word(*STATEMENTS):
            raise ExpressionError(
                "subquery is not accepted: rules see one event and its windows", opening.start
            )
        node = self.expression()
        if self._op(","):
            raise self._wrong("a row `(a, b)` is not accepted")
        end = self._expect_op(")", "to close the parenthesis").end
        return Node(node.kind, node.value, node.kids, opening.start, end)

    def _named(self, token: Token) -> Node:
        word = "" if token.quoted else token.text
        if word in ("true", "false"):
            return Node("bool", word == "true", (), token.start, token.end)
        if word == "null":
            return Node("null", None, (), token.start, token.end)
        if word == "case":
            return self._case(token)
        if word in ("cast", "try_cast"):
            return self._cast(token)
        if word == "interval":
            return self._interval(token)
        if word in ("date", "timestamp", "timestamptz") and self._next.kind == "string":
            text = self._take()
            return Node("typed", f"{word[:9]} {text.text}", (), token.start, text.end)
        if word in AMBIENT:
            raise ExpressionError(f"`{word}` is not deterministic; use event_time", token.start)
        if word in STATEMENTS:
            raise ExpressionError(
                f"statement `{word}` is not accepted: an expression, not a query", token.start
            )
        if word == "exists":
            raise ExpressionError("`exists (...)` is a subquery form; not accepted", token.start)
        if word in ("lambda", "array", "struct", "map", "row", "columns", "unpack"):
            raise ExpressionError(f"`{word}` is not part of a rule", token.start)
        if word in RESERVED:
            raise ExpressionError(f"`{word}` is a keyword and cannot stand here", token.start)
        if self._op("("):
            if token.quoted:
                raise ExpressionError("a quoted name cannot be called", token.start)
            return self._call(token)
        if word and self._word("over"):
            raise ExpressionError(f"`{word}` needs its parentheses before `over`", token.start)
        return Node("name", token.text, (), token.start, token.end)

    def _arguments(self) -> list[Node]:
        kids: list[Node] = []
        if self._op(")"):
            return kids
        while True:
            if self._word(*STATEMENTS):
                raise self._wrong("subquery is not accepted")
            kids.append(self.expression())
            if not self._op(","):
                return kids
            self._take()

    def _call(self, name: Token) -> Node:
        self._take()
        kind, kids = "call", []
        if self._op("*"):
            star = self._take()
            kids = [Node("star", None, (), star.start, star.end)]
        elif self._word("distinct"):
            self._take()
            kind, kids = "distinct", self._arguments()
        else:
            kids = self._arguments()
        if self._word("order", "ignore", "respect"):
            raise self._wrong(
                f"`{self._next.text}` inside {name.text}(...) is not accepted: rows come in order of time"
            )
        if self._word("as", "from", "using", "in", "for"):
            raise self._wrong(f"`{self._next.text}` inside {name.text}(...) is not accepted")
        end = self._expect_op(")", f"to close {name.text}(").end
        call = Node(kind, name.text, tuple(kids), name.start, end)
        return self._window(call)

    def _window(self, call: Node) -> Node:
        kids = [call]
        if self._word("within"):
            raise self._wrong("`within group` is not accepted; write quantile_cont(x, 0.9)")
        filtered = self._next
        if self._word("filter"):
            self._take()
            self._expect_op("(", "after `filter`")
            self._expect_word("where", "in `filter (where ...)`")
            kids.append(self.expression())
            self._expect_op(")", "to close `filter (`")
        if self._word("ignore", "respect"):
            raise self._wrong(f"`{self._next.text} nulls` is not accepted: first and last skip nulls")
        if not self._word("over"):
            if len(kids) > 1:
                raise ExpressionError("`filter (...)` needs `over <window>` after it", filtered.start)
            return call
        self._take()
        if self._op("("):
            raise self._wrong("a window clause is not accepted; name one, such as `over payer_7d`")
        name = self._take()
        if name.kind != "name" or name.quoted or name.text in RESERVED:
            raise ExpressionError(
                f"expected a window such as payer_7d after `over`, found {describe(name)}", name.start
            )
        label = Node("window_name", name.text, (), name.start, name.end)
        return Node("window", name.text, (*kids, label), call.start, name.end)

    def _case(self, token: Token) -> Node:
        subject = None if self._word("when") else self.expression()
        kids: list[Node] = []
        while self._word("when"):
            self._take()
            condition = self.expression()
            if subject is not None:
                condition = Node("binary", "=", (subject, condition), condition.start, condition.end)
            self._expect_word("then", "after a condition of `case`")
            kids += [condition, self.expression()]
        if not kids:
            raise self._wrong(f"expected `when` in `case`, found {describe(self._next)}")
        has_else = self._word("else")
        if has_else:
            self._take()
            kids.append(self.expression())
        end = self._expect_word("end", "to close `case`").end
        return Node("case", has_else, tuple(kids), token.start, end)

    def _cast(self, token: Token) -> Node:
        self._expect_op("(", f"after `{token.text}`")
        kid = self.expression()
        self._expect_word("as", f"in `{token.text}(x as type)`")
        target = self._take()
        if target.kind != "name" or target.text not in CASTS:
            raise ExpressionError(
                f"cast to {describe(target)} is not accepted; types are double, bigint, varchar", target.start
            )
        end = self._expect_op(")", "after the type").end
        return Node("cast", CASTS[target.text], (kid,), token.start, end)

    def _interval(self, token: Token) -> Node:
        amount = self._take()
        text, end = amount.text, amount.end
        if amount.kind == "number" and self._next.kind == "name":
            unit = self._take()
            text, end = f"{text} {unit.text}", unit.end
        elif amount.kind != "string":
            raise ExpressionError("an interval is written interval '2 days'", token.start)
        elif self._next.kind == "name" and self._next.text.rstrip("s") in INTERVAL_UNITS:
            unit = self._take()
            text, end = f"{text} {unit.text}", unit.end
        return Node("interval", interval_us(text, token.start), (), token.start, end)
