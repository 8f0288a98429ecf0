"""One rule file: fields, params, let, when, explain, dedup to a `Rule`; every error kept.

Owns what a single file can say by itself; levels, lock and completeness need the pack.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from txmon.errors import RuleError
from txmon.rules.columns import SUBJECTS
from txmon.rules.explain import placeholders
from txmon.rules.fields import MAX_VERSION, NAME, Fields, check_expression, content_hash
from txmon.rules.ir import Expr, On, Rule, Unit
from txmon.rules.params import read_params
from txmon.rules.scope import Names, Param, Scope
from txmon.rules.syntax import RESERVED
from txmon.rules.yamlnode import YamlNode

STATUSES = ("draft", "shadow", "live", "retired")
SCORED = ("shadow", "live")
TYPOLOGIES = (
    "sexual-exploitation", "labour-exploitation", "child-exploitation", "forced-marriage",
    "illegal-adoption", "organ-trafficking", "merchant-laundering", "mule-layering", "alternative-payment",
    "general-aml", "other",
)  # fmt: skip
SEVERITIES = ("low", "medium", "high", "critical")
ALERT_LINE = 0.5
DEDUP_US = 30 * 86_400_000_000
KEYS = frozenset(
    {
        "id", "version", "title", "status", "typology", "subject", "severity", "score", "protect", "signal",
        "tick", "description", "references", "false_positives", "proportionality", "params", "let", "when",
        "explain", "dedup", "tests",
    }
)  # fmt: skip
MAX_LETS = 40
RESULT_COLUMNS = frozenset({"ingest_seq", "leg", "subject_id", "trigger", "as_of", "hit"})


@dataclass(frozen=True)
class Header:
    """What other files need to know about a rule before expressions are checked."""

    id: str
    on: On
    status: str


def read_header(root: YamlNode, stem: str) -> Header:
    """Read id, table and status without reporting; `read_rule` reports."""
    fields = Fields(root, [], None)
    on = SUBJECTS[fields.choice("subject", tuple(SUBJECTS), "payer")]
    return Header(fields.identifier("id", stem), on, fields.choice("status", STATUSES, "live"))


@dataclass(frozen=True)
class RuleFile:
    """A rule that was read, with what strict checks need besides."""

    rule: Rule
    root: YamlNode
    params: Mapping[str, Param]
    unused_params: frozenset[str]


def read_rule(
    root: YamlNode, stem: str, names: Names, money_scale: int, errors: list[RuleError]
) -> RuleFile | None:
    """Check one rule file; None where it cannot be used."""
    before = len(errors)
    fields = Fields(root, errors, KEYS)
    fields.require("id", "version", "title", "subject", "when")
    identity = fields.identifier("id", stem)
    subject = fields.choice("subject", tuple(SUBJECTS), "payer")
    on = SUBJECTS[subject]
    params = read_params(fields.get("params"), errors)
    tick = fields.flag("tick", False)
    reader = _Expressions(fields, names, on, money_scale, params, tick)
    let = reader.let()
    when = reader.when(let)
    if tick:
        reader.check_tick()
    score = fields.fraction("score", 0.5)
    signal = fields.flag("signal", score < ALERT_LINE)
    if signal and score >= ALERT_LINE:
        fields.refuse(
            fields.get("signal") or root, f"a signal never alerts alone: its score must be below {ALERT_LINE}"
        )
    explain = reader.explain(identity, let)
    dedup_by, dedup_us = reader.dedup(subject)
    document = root.plain()
    version = fields.whole("version", 1, MAX_VERSION, 1)
    title = _title(fields)
    status = fields.choice("status", STATUSES, "live")
    typology = fields.choice("typology", TYPOLOGIES, "other")
    severity = fields.choice("severity", SEVERITIES, "medium")
    protect = fields.flag("protect", False)
    if len(errors) > before or when is None:
        return None
    params_node = fields.get("params")
    rule = Rule(
        id=identity,
        version=version,
        title=title,
        status=status,
        typology=typology,
        severity=severity,
        protect=protect,
        path=root.document.path,
        on=on,
        subject=subject,
        score=score,
        signal=signal,
        tick=tick,
        let=tuple(let.items()),
        when=when,
        explain=explain,
        dedup_by=dedup_by,
        dedup_us=dedup_us,
        params=params_node.plain() if params_node is not None else {},
        content_hash=content_hash({k: v for k, v in document.items() if k != "tests"}),
        document=document,
    )
    return RuleFile(rule, root, params, frozenset(params) - reader.used)


def _title(fields: Fields) -> str:
    title = fields.text("title")
    node = fields.get("title")
    if node is not None and not 0 < len(title.strip()) <= 200:
        fields.refuse(node, "`title` must have 1 to 200 characters")
    return title


class _Expressions:
    """The texts of one rule that are expressions or refer to names."""

    def __init__(
        self, fields: Fields, names: Names, on: On, money_scale: int, params: Mapping[str, Param], tick: bool
    ) -> None:
        self._fields = fields
        self._names = names
        self._on = on
        self._params = params
        self._tick = tick
        self._lets: dict[str, Unit] = {}
        self._scale = money_scale
        self.used: frozenset[str] = frozenset()

    def _scope(self, place: str, let_names: frozenset[str]) -> Scope:
        return Scope(
            self._names, self._on, self._scale, place, self._params,
            anomaly=not self._tick, tick=self._tick, let_names=let_names,
        )  # fmt: skip

    def let(self) -> dict[str, Expr]:
        """Check the lets in order."""
        fields, node = self._fields, self._fields.get("let")
        found: dict[str, Expr] = {}
        if node is None:
            return found
        let_names = frozenset(node.index)
        for key, value in Fields(node, fields.errors, None).node.entries[:MAX_LETS]:
            name = key.text
            if not NAME.fullmatch(name):
                fields.refuse(key, f"let `{name[:80]}` must be lower-case letters, digits and _")
                continue
            if name in RESERVED:
                fields.refuse(key, f"let `{name}` is a keyword of SQL; choose another name")
                continue
            if name in RESULT_COLUMNS:
                fields.refuse(key, f"let `{name}` is a column of every result; choose another name")
            if name in self._names.columns[self._on]:
                fields.refuse(key, f"let `{name}` hides the column of that name; choose another")
            scope = self._scope(f"let `{name}`", let_names)
            scope = replace(scope, aggregates=True)
            expr, used = check_expression(value, scope, fields.errors)
            self.used |= used
            # a refused let keeps its name, so that `when` does not report it again
            self._lets[name] = expr.unit if expr is not None else Unit.TEXT
            if expr is not None:
                found[name] = expr
        if len(node.entries) > MAX_LETS:
            fields.refuse(node, f"more than {MAX_LETS} lets; split the rule")
        return found

    def when(self, let: Mapping[str, Expr]) -> Expr | None:
        """Check `when`; skipped where a let it may use was refused."""
        fields, node = self._fields, self._fields.get("when")
        if node is None:
            return None
        scope = replace(self._scope("when", frozenset(self._lets)), lets=dict(self._lets))
        broken = len(let) < len(self._lets)
        errors: list[RuleError] = []
        expr, used = check_expression(node, scope, errors, Unit.BOOL)
        if broken:  # units of refused lets are unknown: keep only errors that do not depend on them
            errors = [e for e in errors if not e.detail.startswith("cannot ") and "not text" not in e.detail]
        fields.errors.extend(errors)
        self.used |= used
        return expr

    def check_tick(self) -> None:
        """A rule on absence needs a window: it is evaluated for subjects seen inside it."""
        node = self._fields.get("let")
        if node is None or not node.entries:
            self._fields.refuse(
                self._fields.get("tick") or self._fields.node, "a tick rule needs a window in `let`"
            )

    def explain(self, identity: str, let: Mapping[str, Expr]) -> str:
        """Check the placeholders of `explain`; by default the id and the lets."""
        fields, node = self._fields, self._fields.get("explain")
        if node is None:
            return ", ".join([identity, *(f"{name} = {{{name}}}" for name in let)])
        text = fields.text("explain")
        try:
            names = placeholders(text)
        except ValueError as error:
            fields.refuse(node, f"`explain`: {error}")
            return text
        known = {"subject", *self._lets, *self._params, *self._names.columns[self._on]}
        self.used |= frozenset(names) & frozenset(self._params)
        for name in names:
            if name not in known:
                at = max(0, node.text.find("{" + name)) + 1
                fields.errors.append(
                    node.error_at(
                        at, f"`explain` names {{{name[:60]}}}, which is no let, parameter or column"
                    )
                )
        return text

    def dedup(self, subject: str) -> tuple[tuple[str, ...], int]:
        """Check `dedup: {by: [columns], for: 30d}`."""
        node = self._fields.get("dedup")
        if node is None:
            return (subject,), DEDUP_US
        fields = Fields(node, self._fields.errors, frozenset({"by", "for"}))
        columns = self._names.columns[self._on]
        names: list[str] = []
        for item in fields.names("by"):
            if columns.get(item.text) is not Unit.TEXT:
                what = "is not text" if item.text in columns else "is unknown"
                fields.refuse(
                    item, f"`dedup` column `{item.text[:80]}` {what}; use columns such as {subject}"
                )
            elif item.text in names:
                fields.refuse(item, f"`dedup` column `{item.text}` twice")
            else:
                names.append(item.text)
        return tuple(names) or (subject,), fields.duration("for", DEDUP_US)
