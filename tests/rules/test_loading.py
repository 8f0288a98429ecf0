"""Packs: what loads, what is refused and where the errors point."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path

import pytest
from rulekit import RULE, pack

from txmon.errors import ConfigError, RuleErrors
from txmon.rules import load_pack
from txmon.rules.ir import Call, Column, Feature, FeatureRef, Literal_, Unit, Window, rule_features
from txmon.rules.pack import default_pack, read_pack

DAY = 86_400_000_000


def errors_of(root: Path, **options: bool) -> list[str]:
    with pytest.raises(RuleErrors) as caught:
        load_pack(root, **options)
    return [str(e).removeprefix(str(root)).lstrip("/") for e in caught.value.errors]


def test_the_least_a_rule_needs_and_its_defaults(tmp_path: Path) -> None:
    plan = load_pack(pack(tmp_path, {"r.yaml": RULE.format(id="r")}))
    (rule,) = plan.rules
    assert (rule.status, rule.typology, rule.severity, rule.score) == ("live", "other", "medium", 0.5)
    assert (rule.protect, rule.signal, rule.tick, rule.on) == (False, False, False, "events")
    assert (rule.dedup_by, rule.dedup_us, rule.explain) == (("payer",), 30 * DAY, "r")
    assert rule.when == Call(">", (Column("amount", Unit.MONEY), Literal_(100, Unit.MONEY)), Unit.BOOL)
    assert plan.base_currency == "EUR"
    assert plan.money_scale == 2


def test_money_takes_the_scale_of_the_base_currency(tmp_path: Path) -> None:
    root = pack(tmp_path, {"r.yaml": RULE.format(id="r")})
    assert load_pack(root, base_currency="JPY").rules[0].when.args[1] == Literal_(1, Unit.MONEY)  # type: ignore[union-attr]
    assert load_pack(root, base_currency="KWD").rules[0].when.args[1] == Literal_(1000, Unit.MONEY)  # type: ignore[union-attr]
    assert load_pack(root).pack_hash != load_pack(root, base_currency="JPY").pack_hash
    with pytest.raises(ConfigError, match="XYZ"):
        load_pack(root, base_currency="XYZ")


def test_five_errors_are_five(tmp_path: Path) -> None:
    files = {
        "a.yaml": RULE.format(id="b"),
        "b2.yaml": RULE.format(id="b2").replace("amount > 1", "amount > payer or foo = 1"),
        "c.yaml": RULE.format(id="c") + "let:\n  x: |\n    count(*)\n      over payer_7y\n",
        "d.yaml": RULE.format(id="d") + "severity: hihg\n",
        "lists/l.yaml": "version: 1\nentries: 5\n",
    }
    found = errors_of(pack(tmp_path, files))
    assert found == [
        "a.yaml:1:5: `id` is 'b' but the file is named 'a'; make them equal",
        "b2.yaml:5:7: cannot compare money (`amount`) with text (`payer`) by `>`",
        "b2.yaml:5:25: unknown column `foo` in when; text constants are written in '...'",
        "c.yaml:9:12: `payer_7y` is not a window; write <key>_<n><m|h|d>, <key>_month or <key>_prev_month, "
        "each also with _prior, such as payer_7d",
        "d.yaml:6:11: `severity` is 'hihg', not one of low, medium, high, critical; did you mean `high`?",
        "lists/l.yaml:2:10: `entries` must be a list; [] for none",
    ]


SCALARS = {
    "plain": "amount > foo",
    "single": "'amount > foo'",
    "double": '"amount > foo"',
    "escaped": '"amount \\x3e foo"',
    "literal": "|\n    amount\n      > foo",
    "folded": ">-\n    amount\n    > foo",
    "continued": "amount\n  >\n  foo",
    "quote": "'payer = ''it'' and foo'",
}


@pytest.mark.parametrize("style", SCALARS)
def test_errors_point_into_every_style_of_scalar(tmp_path: Path, style: str) -> None:
    text = RULE.format(id="r").replace("amount > 1", SCALARS[style])
    found = errors_of(pack(tmp_path, {"r.yaml": text}))
    line, column = (int(part) for part in found[0].split(":")[1:3])
    assert text.splitlines()[line - 1][column - 1 :].startswith("foo")


WRONG = {
    "unknown key": ("severty: high", "unknown key `severty`; did you mean `severity`?"),
    "score": ("score: 1.5", "`score` must be a number from 0 to 1"),
    "score text": ("score: high", "`score` must be a number"),
    "status": ("status: on", "not one of draft, shadow, live, retired"),
    "typology": ("typology: fraud", "`typology` is 'fraud'"),
    "protect": ("protect: yes", "`protect` must be true or false"),
    "signal": ("signal: true", "score must be below 0.5"),
    "list of lets": ("let: [a]", "expected `key: value`"),
    "let name": ("let: {Big: count(*) over payer_7d}", "lower-case"),
    "let keyword": ("let: {select: count(*) over payer_7d}", "keyword of SQL"),
    "let hides": ("let: {amount: count(*) over payer_7d}", "hides the column"),
    "let result": ("let: {hit: count(*) over payer_7d}", "column of every result"),
    "let empty": ("let: {a: }", "must be an expression"),
    "let map": ("let: {a: {b: 1}}", "must be an expression"),
    "lets": (
        "let: {" + ", ".join(f"a{i}: count(*) over payer_7d" for i in range(41)) + "}",
        "more than 40 lets",
    ),
    "dedup column": ("dedup: {by: [amount]}", "is not text"),
    "dedup unknown": ("dedup: {by: [foo]}", "is unknown"),
    "dedup twice": ("dedup: {by: [payer, payer]}", "twice"),
    "dedup shape": ("dedup: {by: {a: b}}", "list of names"),
    "dedup for": ("dedup: {for: 3 weeks}", "duration"),
    "dedup long": ("dedup: {for: 2000d}", "duration"),
    "explain name": ("explain: 'see {foo}'", "`explain` names {foo}"),
    "explain brace": ("explain: 'see {'", "`explain`"),
    "param name": ("params: {Big: 1}", "lower-case"),
    "param empty": ("params: {p: }", "must be a number, text"),
    "param value": ("params: {p: {source: x}}", "`value` is missing"),
    "param key": ("params: {p: {value: 1, calibratd: true}}", "did you mean `calibrated`"),
    "param currency": ("params: {p: {value: 1, currency: EURO}}", "ISO 4217"),
    "param minor": ("params: {p: {value: 1.234, currency: USD}}", "whole minor units"),
    "param long": ("params: {p: 99999999999999999999}", "beyond 10^18"),
    "param list": ("params: {p: []}", "1 to 200 values"),
    "tick": ("tick: true", "column `amount` in when of a tick rule"),
    "subject": ("version: 0", "duplicate key `version`"),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_fields(tmp_path: Path, name: str) -> None:
    line, says = WRONG[name]
    found = errors_of(pack(tmp_path, {"r.yaml": RULE.format(id="r") + line + "\n"}))
    assert any(says in error for error in found), found
    assert all(error.startswith("r.yaml:") for error in found)


def test_missing_fields_and_wrong_shapes(tmp_path: Path) -> None:
    found = errors_of(
        pack(tmp_path, {"a.yaml": "title: 5\n", "b.yaml": "- 1\n", "c.yaml": "subject: pair\nwhen: true\n"})
    )
    for says in ("a.yaml:1:1: `id` is missing", "`when` is missing", "a.yaml:1:8: `title` must be text",
                 "b.yaml:1:1: expected `key: value`", "c.yaml:1:10: `subject` is 'pair'"):  # fmt: skip
        assert any(says in error for error in found), (says, found)


def test_ids_are_well_formed_and_unique(tmp_path: Path) -> None:
    files = {"x/r.yaml": RULE.format(id="r"), "y/r.yaml": RULE.format(id="r"), 
             "Bad_Id.yaml": RULE.format(id="Bad_Id"), "z.yml": RULE.format(id="z")}  # fmt: skip
    found = errors_of(pack(tmp_path, files))
    assert any(error.startswith("y/r.yaml:1:5: rule 'r' exists already in") for error in found)
    assert any("must be lower-case letters" in error for error in found)
    assert any("z.yml:1:1: rule files end in .yaml" in error for error in found)


def test_a_directory_must_be_one_and_hold_rules(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="does not exist"):
        load_pack(tmp_path / "nowhere")
    assert "no rule file" in errors_of(tmp_path)[0]


def test_rules_of_rules_have_levels_and_no_cycles(tmp_path: Path) -> None:
    def rule(name: str, *others: str) -> str:
        lets = "".join(f"  h{i}: hits('{other}') over payer_30d\n" for i, other in enumerate(others))
        return RULE.format(id=name) + (f"let:\n{lets}" if others else "")

    files = {
        "a.yaml": rule("a"),
        "b.yaml": rule("b", "a"),
        "c.yaml": rule("c", "b", "a"),
        "d.yaml": rule("d"),
    }
    plan = load_pack(pack(tmp_path, files))
    assert [[r.id for r in level] for level in plan.levels] == [["a", "d"], ["b"], ["c"]]
    assert len(plan.features) == 2
    found = errors_of(pack(tmp_path, {"a.yaml": rule("a", "c"), "d.yaml": rule("d", "d")}))
    assert any("refers to itself by hits(): " in error for error in found)
    drafts = {"a.yaml": rule("a") + "status: draft\n", "d.yaml": rule("d")}
    assert any("rule 'a' is draft and never hits" in error for error in errors_of(pack(tmp_path, drafts)))


def test_equal_features_are_one(tmp_path: Path) -> None:
    let = "let: {{n: count(*) over payer_7d, m: 'count(*)  over  payer_7d + 1', k: {text}}}\n"
    files = {name: RULE.format(id=name[0]) + let.format(text=text) for name, text in
             {"a.yaml": "count(1) over payer_7d", "b.yaml": "sum(amount) over payer_7d"}.items()}  # fmt: skip
    plan = load_pack(pack(tmp_path, files))
    week = Window("payer_7d", "events", ("payer",), 7 * DAY)
    assert plan.features == (
        Feature("count", week), Feature("sum", week, Column("amount", Unit.MONEY), unit=Unit.MONEY)
    )  # fmt: skip
    assert plan.longest_us == 7 * DAY
    assert plan.rules[0].longest_us() == 7 * DAY


def test_windows_of_legs_and_events(tmp_path: Path) -> None:
    lets = ("account_30d", "account_counterparty_2h", "card_24h_prior", "account_sub_merchant_month",
            "merchant_prev_month", "related_event_id_1m", "card_merchant_country_1100d")  # fmt: skip
    text = RULE.format(id="r").replace("payer", "account") + "let:\n"
    text += "".join(f"  a{i}: count(*) over {window}\n" for i, window in enumerate(lets))
    (rule,) = load_pack(pack(tmp_path, {"r.yaml": text})).rules
    found = [(w.on, w.key, w.calendar, w.prior) for w in (f.window for f in rule_features(rule))]
    assert found == [
        ("legs", ("account",), "", False),
        ("legs", ("account", "counterparty"), "", False),
        ("events", ("card",), "", True),
        ("legs", ("account", "sub_merchant"), "month", False),
        ("events", ("merchant",), "prev_month", False),
        ("events", ("related_event_id",), "", False),
        ("events", ("card", "merchant_country"), "", False),
    ]


def test_params_become_constants(tmp_path: Path) -> None:
    text = RULE.format(id="r").replace(
        "amount > 1", "amount > :a and amount in :b and payer in (:c, 'z') and :d"
    ) + ("params: {a: {value: 1.5, calibrated: true}, b: [1, 2], c: x, d: true}\n")
    (rule,) = load_pack(pack(tmp_path, {"r.yaml": text})).rules
    assert isinstance(rule.when, Call)
    shown = [[a.value for a in arg.args[1:]] for arg in rule.when.args if isinstance(arg, Call)]  # type: ignore[union-attr]
    assert shown == [[150], [100, 200], ["x", "z"]]
    assert rule.params["a"]["value"] == Decimal("1.5")


def test_derived_columns_come_in_order_and_replace_the_default_ones(tmp_path: Path) -> None:
    derived = "big: {expr: huge or moved, doc: d}\nhuge: amount > 5\nmoved: 'true'\n"
    derived += "side: {events: payer, legs: account}\n"
    root = pack(
        tmp_path,
        {"r.yaml": RULE.format(id="r").replace("amount > 1", "big and side = 'x'"), "derived.yaml": derived},
    )
    pack_ = read_pack(root)
    names = [d.name for d in pack_.plan.derived]
    assert names.index("huge") < names.index("big")
    moved = next(d for d in pack_.plan.derived if d.name == "moved")
    assert moved.events == Literal_(True, Unit.BOOL)
    assert pack_.derived.docs["big"] == "d"
    assert "mcc_group" in names  # of the packs that ship


BAD_DERIVED = {
    "cycle": ("a: b\nb: c\nc: a\nd: a\n", "derived column `a` depends on itself (cycle: a, b, c)"),
    "exists": ("payer: payee\n", "column `payer` exists already"),
    "hidden": ("holders: payee\n", "exists already"),
    "name": ("Big: payee\n", "lower-case"),
    "both": ("a: {expr: payer, legs: payer}\n", "not both"),
    "none": ("a: {doc: x}\n", "has no expression"),
    "units": ("a: {events: payer, legs: amount}\n", "different units"),
    "aggregate": ("a: count(*) over payer_7d\n", "not accepted in derived column `a`"),
    "leg column": ("a: counterparty\n", "exists on legs only"),
    "value": ("a: [1]\n", "has no expression"),
    "shape": ("- a\n", "expected `key: value`"),
}


@pytest.mark.parametrize("name", BAD_DERIVED)
def test_bad_derived_columns(tmp_path: Path, name: str) -> None:
    text, says = BAD_DERIVED[name]
    found = errors_of(pack(tmp_path, {"r.yaml": RULE.format(id="r"), "derived.yaml": text}))
    assert any(error.startswith("derived.yaml:1:") and says in error for error in found), found


BAD_LISTS = {
    "name": ("name: other\nversion: 1\nentries: []\n", "the file is named 'l'"),
    "version": ("version: one\nentries: []\n", "whole number"),
    "entry": ("version: 1\nentries: [true]\n", "must be text"),
    "value": ("version: 1\nentries: [{from: 2026-01-01}]\n", "`value` is missing"),
    "date": ("version: 1\nentries: [{value: a, from: soon}]\n", "must be a date"),
    "order": ("version: 1\nentries: [{value: a, from: 2026-02-01, to: 2026-01-01}]\n", "later than"),
}


@pytest.mark.parametrize("name", BAD_LISTS)
def test_bad_lists(tmp_path: Path, name: str) -> None:
    text, says = BAD_LISTS[name]
    found = errors_of(pack(tmp_path, {"r.yaml": RULE.format(id="r"), "lists/l.yaml": text}))
    assert any(error.startswith("lists/l.yaml:") and says in error for error in found), found


def test_lists_have_entries_with_dates(tmp_path: Path) -> None:
    files = {
        "r.yaml": RULE.format(id="r"),
        "lists/l.yaml": "version: 3\nentries: [a, 007, {value: b, from: 1970-01-02}]\n",
    }
    listed = load_pack(pack(tmp_path, files)).lists["l"]
    assert listed.version == 3
    assert [(e.value, e.valid_from) for e in listed.entries] == [("a", None), ("007", None), ("b", 1)]
    assert "lists/Bad-Name.yaml" in "".join(
        errors_of(pack(tmp_path, {"lists/Bad-Name.yaml": "version: 1\nentries: []\n"}))
    )


DETECTOR = """id: d
version: 2
subject: payer
model: half-space-trees
segment: coalesce(payer_type, 'none')
where: amount > 0
budget: 0.01
settings: {seed: 7}
inputs:
  size: {value: amount, scale: {kind: log}}
  often: count(*) over payer_7d
  gap: event_time - lag(event_time) over payer_7d
  fresh: count(*) over payer_7d = 1
  ratio: amount / avg(amount) over payer_7d
  one: 1
"""


def test_detectors(tmp_path: Path) -> None:
    rule = RULE.format(id="r").replace("amount > 1", "anomaly('d') > 0.99")
    (found,) = (
        d
        for d in load_pack(pack(tmp_path, {"r.yaml": rule, "detectors/d.yaml": DETECTOR})).detectors
        if d.id == "d"
    )
    assert all(expr.unit in (Unit.NUMBER, Unit.MONEY_F) for _, expr in found.inputs)
    assert found.settings["budget"] == 0.01
    assert found.settings["seed"] == 7
    assert found.settings["inputs"]["size"]["scale"] == {"kind": "log"}
    features = load_pack(tmp_path).features
    assert any(isinstance(e, FeatureRef) or f.agg == "lag" for f in features for e in [f.arg])


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (("amount / avg(amount) over payer_7d", "payer"), "a model takes numbers"),
        (("value: amount, ", ""), "has no `value`"),
        (("size:", "Size:"), "lower-case"),
        (("settings: {seed: 7}", "settings: 7"), "must be a mapping"),
        (("segment: coalesce(payer_type, 'none')", "segment: amount"), "`segment` must be text"),
        (("where: amount > 0", "where: count(*) over payer_1d > 1"), "not accepted in `where`"),
        (("model: half-space-trees\n", ""), "`model` is missing"),
    ],
)
def test_bad_detectors(tmp_path: Path, change: tuple[str, str], says: str) -> None:
    files = {"r.yaml": RULE.format(id="r"), "detectors/d.yaml": DETECTOR.replace(*change)}
    found = errors_of(pack(tmp_path, files))
    assert any(says in error for error in found), found


def test_strict_demands_what_ships(tmp_path: Path) -> None:
    text = (
        RULE.format(id="r")
        + "params: {p: 1}\nlet: {n: sum(amount) over payer_7d}\ntests: [{name: t, events: [], hits: [0]}]\n"
    )
    root = pack(tmp_path, {"r.yaml": text})
    load_pack(root)
    found = "\n".join(errors_of(root, strict=True))
    for says in ("`description` is missing", "`references` must be a list",
                 "parameter `p` must say calibrated",
                 "parameter `p` is not used", "takes events of every kind", "no test without hits",
                 "lock.json:1:1: cannot be read"):  # fmt: skip
        assert says in found, says
    (root / "lock.json").write_text(
        json.dumps({"gone": {}, "r": {"version": 1, "sha256": "x"}}), encoding="utf-8"
    )
    found = "\n".join(errors_of(root, strict=True))
    assert "rule 'r' changed but its version is still 1; make it 2" in found
    assert "pins rule 'gone', which does not exist" in found
    (root / "lock.json").write_text("[]", encoding="utf-8")
    assert any("lock.json:1:1: cannot be read" in error for error in errors_of(root, strict=True))
    no_tests = pack(
        tmp_path / "other", {"r.yaml": RULE.format(id="r") + "tests: []\n", "s.yaml": RULE.format(id="s")}
    )
    found = "\n".join(errors_of(no_tests, strict=True))
    assert "no test hits" in found
    assert "`tests` must list" in found
    retired = pack(tmp_path / "third", {"r.yaml": RULE.format(id="r") + "status: retired\n"})
    assert all("lock.json" in error for error in errors_of(retired, strict=True))


def test_the_shipped_packs_load() -> None:
    plan = load_pack()
    assert len(plan.rules) >= 40
    assert default_pack().name == "rules"
    assert load_pack().pack_hash == plan.pack_hash
