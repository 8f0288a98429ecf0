"""As-of profiles, holders, transfers to oneself, legs: what an event knows about its parties."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from txkit import DAY, HOUR, START_US, event, hits_of, moment, plan_of, run, table

from txmon.model.schema import VALUE_KINDS
from txmon.pipeline.scorer import Scorer
from txmon.rules.ir import Plan

SHOWN: dict[str, Any] = {
    "id": "shown",
    "subject": "ip",
    "let": {
        "country": "coalesce(payer_home_country, 'none')",
        "minor": "payer_minor",
        "zone": "payer_tz",
        "opened": "payer_opened_time",
        "own": "own_transfer",
        "opens": "merchant_opens_hour",
        "shop_city": "merchant_city",
        "shop_country": "merchant_profile_country",
        "onboarded": "merchant_onboarded_time",
        "settles": "merchant_settlement_account",
        "payee_kind": "payee_type",
    },
    "when": "kind not in ('account.opened', 'account.updated')",
}
LEGS: dict[str, Any] = {
    "id": "legs",
    "subject": "account",
    "let": {
        "n": "count(*) over account_1d",
        "mine": "account_type",
        "theirs": "counterparty_type",
        "there": "counterparty_country",
        "way": "direction",
        "out_of": "count(*) filter (where direction = 'out') over account_1d",
    },
    "when": "true",
}


@pytest.fixture(scope="module")
def plan(tmp_path_factory: pytest.TempPathFactory) -> Plan:
    return plan_of(tmp_path_factory.mktemp("pack"), SHOWN, LEGS)


def account(name: str, time: int, kind: str = "account.updated", **columns: Any) -> dict[str, Any]:
    attributes = [(k, v) for k, v in columns.pop("attributes", {}).items()] or None
    who = columns.pop("account", "p")
    return event(name, time, kind=kind, amount=None, account=who, attributes=attributes, **columns)


def pay(name: str, time: int, **columns: Any) -> dict[str, Any]:
    return event(name, time, **({"payer": "p", "payee": "q", "ip": "i"} | columns))


def shown(plan: Plan, *rows: dict[str, Any]) -> list[dict[str, Any]]:
    """Features of every payment, after checking that batches of one row show the same."""
    whole = run(plan, table(rows))[1]
    assert run(plan, table(rows), range(1, len(rows)))[1].equals(whole)
    return [h["features"] for h in hits_of(whole, "shown", "event")]


def test_profile_events_patch_only_what_they_set(plan: Plan) -> None:
    opened, patched, after = shown(
        plan,
        account(
            "a",
            START_US,
            "account.opened",
            attributes={"home_country": "DE", "minor": "true"},
            tz="Europe/Berlin",
        ),
        pay("1", START_US + HOUR),
        account("b", START_US + 2 * HOUR, attributes={"home_country": "RO"}),
        pay("2", START_US + 3 * HOUR),
        account("c", START_US + 4 * HOUR, attributes={"minor": "no"}),
        pay("3", START_US + 5 * HOUR),
    )
    assert (opened["country"], opened["minor"], opened["zone"]) == ("DE", True, "Europe/Berlin")
    assert (patched["country"], patched["minor"], patched["zone"]) == ("RO", True, "Europe/Berlin")
    assert (after["country"], after["minor"]) == ("RO", False)
    assert opened["opened"] == after["opened"] == moment(START_US).isoformat().replace("+00:00", "Z")


def test_an_event_sees_what_arrived_before_and_is_not_later(plan: Plan) -> None:
    before, same_time, late_event, after_late_patch = shown(
        plan,
        pay("0", START_US),
        account("a", START_US + DAY, attributes={"home_country": "DE"}),
        pay("1", START_US + DAY),
        pay("2", START_US + DAY - 1),
        account("b", START_US - DAY, attributes={"home_country": "AT", "type": "x"}),
        pay("3", START_US),
    )
    assert before["country"] == "none"
    assert same_time["country"] == "DE", "an update at the very time of the event counts"
    assert late_event["country"] == "none", "a late event knows nothing of later updates"
    assert after_late_patch["country"] == "AT", "a late update is known to later arrivals of its own time"


def test_of_two_updates_at_one_time_the_later_arrival_stands(plan: Plan) -> None:
    (seen,) = shown(
        plan,
        account("a", START_US, attributes={"home_country": "DE"}),
        account("b", START_US, attributes={"home_country": "RO"}),
        pay("1", START_US),
    )
    assert seen["country"] == "RO"


def test_a_late_update_does_not_overwrite_a_newer_one(plan: Plan) -> None:
    now, then = shown(
        plan,
        account("a", START_US + DAY, attributes={"home_country": "DE"}),
        account("b", START_US, attributes={"home_country": "AT", "minor": "true"}),
        pay("1", START_US + 2 * DAY),
        pay("2", START_US + HOUR),
    )
    assert (now["country"], now["minor"]) == ("DE", True), (
        "the field that the newer one left open comes through"
    )
    assert (then["country"], then["minor"]) == ("AT", True)


@settings(max_examples=40)
@given(
    st.lists(
        st.tuples(
            st.booleans(),
            st.integers(0, 8),
            st.sampled_from((None, "DE", "RO")),
            st.sampled_from((None, "true")),
        ),
        max_size=25,
    ),
    st.lists(st.integers(1, 25), max_size=3),
)
def test_profiles_equal_their_definition(plan: Plan, drawn: list[Any], cuts: list[int]) -> None:
    """Per field: the newest value (by time, then arrival) among updates that arrived before and are not later."""
    rows, expected = [], {}
    for i, (pays, hour, country, minor) in enumerate(drawn):
        time = START_US + hour * HOUR
        if not pays:
            wanted = {k: v for k, v in (("home_country", country), ("minor", minor)) if v is not None}
            rows.append(account(f"e{i}", time, attributes=wanted))
            continue
        for name, key in (("country", "home_country"), ("minor", "minor")):
            past = [
                (r["event_time"], j, dict(r["attributes"] or [])[key])
                for j, r in enumerate(rows)
                if r["kind"] != "payment" and r["event_time"] <= time and key in dict(r["attributes"] or [])
            ]
            expected[f"e{i}", name] = max(past)[2] if past else None
        rows.append(pay(f"e{i}", time))
    hits = hits_of(run(plan, table(rows), [c for c in cuts if c < len(rows)])[1], "shown", "event")
    for hit in hits:
        assert hit["features"]["country"] == (expected[hit["event_id"], "country"] or "none")
        assert hit["features"]["minor"] == (True if expected[hit["event_id"], "minor"] else None)


def test_merchant_profiles(plan: Plan) -> None:
    (seen,) = shown(
        plan,
        event("a", START_US, kind="merchant.onboarded", amount=None, merchant="m", merchant_country="DE", city="Ulm",
              attributes=[("opens_hour", "9"), ("settlement_account", "q"), ("closes_hour", "late")]),
        pay("1", START_US + 1, merchant="m", merchant_country="FR", city="Bonn"),
    )  # fmt: skip
    assert (seen["opens"], seen["shop_city"], seen["shop_country"], seen["settles"]) == (9, "Ulm", "DE", "q")
    assert seen["onboarded"] is not None


def test_unusable_profile_values_are_unknown(plan: Plan) -> None:
    """A word where a number should be says nothing; it neither stops the stream nor becomes zero."""
    (seen,) = shown(
        plan,
        event(
            "a",
            START_US,
            kind="merchant.updated",
            amount=None,
            merchant="m",
            attributes=[("opens_hour", "nine")],
        ),
        pay("1", START_US + 1, merchant="m"),
    )
    assert seen["opens"] is None


def test_entities_and_modes_do_not_share_profiles(plan: Plan) -> None:
    rows = [account("a", START_US, attributes={"home_country": "DE"}), pay("1", START_US, mode="test"),
            pay("2", START_US, entity="other"), pay("3", START_US)]  # fmt: skip
    assert [s["country"] for s in shown(plan, *rows)] == ["none", "none", "DE"]


# -- holders and transfers to oneself --------------------------------------------------------------------


def holder(
    party: str, start: int | None = None, end: int | None = None, role: str | None = "owner"
) -> dict[str, Any]:
    return {
        "party": party,
        "role": role,
        "valid_from": None if start is None else moment(start),
        "valid_to": None if end is None else moment(end),
    }


def test_own_transfer_by_a_common_current_holder(plan: Plan) -> None:
    seen = shown(
        plan,
        pay("unknown", START_US),
        account(
            "a",
            START_US,
            account="p",
            holders=[holder("anna"), holder("bert", START_US + DAY, START_US + 2 * DAY)],
        ),
        account("b", START_US, account="q", holders=[holder("bert")]),
        account("c", START_US, account="r", holders=[holder("anna", role=None), holder("carl")]),
        pay("other", START_US + HOUR),
        pay("joint", START_US + DAY),
        pay("ended", START_US + 2 * DAY),
        pay("same holder", START_US, payee="r"),
        pay("same account", START_US, payee="p"),
        pay("same unknown account", START_US, payer="z", payee="z"),
        pay("half known", START_US, payee="z"),
        pay("nobody", START_US, payer=None),
    )
    assert [s["own"] for s in seen] == [None, False, True, False, True, True, True, None, None]


def test_holders_as_of_the_event_stand_on_alerts(plan: Plan) -> None:
    rows = [
        account(
            "a",
            START_US,
            account="q",
            holders=[holder("bert", role="joint"), holder("anna", None, START_US + DAY)],
        ),
        pay("1", START_US + HOUR, payer=None),
        pay("2", START_US + DAY, payer=None),
        pay("3", START_US, payer=None, payee="nobody-knows"),
    ]
    scorer = Scorer(plan)
    hits = scorer.engine.apply(table(rows)).hits
    found = [h["holders"] for h in hits.to_pylist() if h["rule_id"] == "legs"]
    assert found == [
        [{"party": "anna", "role": "owner"}, {"party": "bert", "role": "joint"}],
        [{"party": "bert", "role": "joint"}],
        None,
    ]


# -- legs ------------------------------------------------------------------------------------------------


def test_every_movement_has_two_legs_and_nothing_else_has_any(plan: Plan) -> None:
    for number, kind in enumerate((*VALUE_KINDS, "tip.received", "device.seen", "tick", "account.updated")):
        row = event(f"e{number}", START_US, kind=kind, payer="p", payee="q", status="declined")
        legs = [(h["leg"], h["subject_id"]) for h in hits_of(run(plan, table([row]))[1], "legs")]
        assert legs == ([("out", "p"), ("in", "q")] if kind in VALUE_KINDS else []), kind


def test_a_null_party_has_no_leg(plan: Plan) -> None:
    rows = [
        pay("1", START_US, payer=None),
        pay("2", START_US, payee=None),
        pay("3", START_US, payer=None, payee=None),
    ]
    hits = hits_of(run(plan, table(rows))[1], "legs")
    assert [(h["event_id"], h["leg"], h["subject_id"]) for h in hits] == [("1", "in", "q"), ("2", "out", "p")]


def test_a_self_payment_gives_two_hits_out_first(plan: Plan) -> None:
    """The in leg sees the out leg of its own event, not the other way round."""
    hits = hits_of(
        run(plan, table([pay("1", START_US, payee="p", payer_country="DE", payee_country="RO")]))[1], "legs"
    )
    assert [(h["leg"], h["features"]["n"], h["features"]["out_of"], h["features"]["there"]) for h in hits] == [
        ("out", 1, 1, "RO"), ("in", 2, 1, "DE"),
    ]  # fmt: skip


def test_legs_show_each_side_with_its_own_profile(plan: Plan) -> None:
    rows = [account("a", START_US, account="p", attributes={"type": "personal"}),
            account("b", START_US, account="q", attributes={"type": "business"}), pay("1", START_US)]  # fmt: skip
    out, incoming = (h["features"] for h in hits_of(run(plan, table(rows))[1], "legs"))
    assert (out["way"], out["mine"], out["theirs"]) == ("out", "personal", "business")
    assert (incoming["way"], incoming["mine"], incoming["theirs"]) == ("in", "business", "personal")


def test_batches_without_any_leg_or_profile(tmp_path: Path, plan: Plan) -> None:
    rows = [
        event("1", START_US, amount=None, kind="tip.received", ip="i"),
        account("2", START_US, attributes={}),
    ]
    assert [h["rule_id"] for h in hits_of(run(plan, table(rows), [1])[1])] == ["shown"]
