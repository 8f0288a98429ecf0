"""A small, crowded stream with everything in it, and rules that use every part of the engine.

Deterministic in its seed: `python busy.py` prints a fingerprint of hits and alerts, so that a test can ask
another process for it.
"""

from __future__ import annotations

import hashlib
import random
import sys
import tempfile
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa

sys.path.insert(0, str(Path(__file__).parents[1]))

from txkit import DAY, HOUR, START_US, event, feed, moment, plan_of, table, tick

from txmon.pipeline.scorer import Scorer
from txmon.rules.ir import Plan

RULES: tuple[dict[str, Any], ...] = (
    {
        "id": "many-cities",
        "subject": "payer",
        "score": 0.4,
        "let": {
            "cities": "count(distinct city) filter (where moved) over payer_3d",
            "usual": "median(amount) filter (where moved) over payer_9d_prior",
            "before": "lag(city) over payer_3d",
        },
        "when": "cities >= 3 and amount >= coalesce(usual, 0)",
        "explain": "{cities} cities, last {before}",
    },
    {
        "id": "much-in",
        "subject": "account",
        "score": 0.6,
        "let": {
            "taken": "sum(signed_amount) filter (where direction = 'in' and moved) over account_3d",
            "from_whom": "count(distinct counterparty) filter (where direction = 'in') over account_3d",
            "spread": "stddev_samp(amount) over account_month",
            "largest": "max(amount) over account_counterparty_9d",
        },
        "when": "taken >= 60 and from_whom >= 2 and not coalesce(own_transfer, false)",
        "dedup": {"by": ["account", "counterparty"], "for": "2d"},
    },
    {
        "id": "both",
        "subject": "account",
        "severity": "critical",
        "score": 0.8,
        "let": {"a": "hits('much-in') over account_9d", "b": "hits('many-cities') over account_9d"},
        "when": "a >= 2 and b >= 1",
    },
    {
        "id": "echo",
        "subject": "merchant",
        "let": {
            "n": "hits('many-cities') over merchant_9d",
            "q": "quantile_cont(amount, 0.9) over merchant_3d",
        },
        "when": "n >= 2",
    },
    {
        "id": "silent",
        "subject": "card",
        "tick": True,
        "let": {"n": "count(*) over card_9d", "fresh": "count(*) over card_1d"},
        "when": "n >= 2 and fresh = 0",
    },
    {
        "id": "odd",
        "subject": "merchant",
        "let": {"strange": "anomaly('amounts')", "n": "count(*) over merchant_1d"},
        "when": "strange >= 0.8",
    },
    {
        "id": "watched",
        "subject": "payer",
        "status": "shadow",
        "when": "city in list('watched') and payer_minor",
    },
)
FILES: dict[str, Any] = {
    "list_watched": {
        "name": "watched",
        "version": 1,
        "doc": "Cities that the test watches.",
        "provenance": "made up",
        "entries": [{"value": "Ulm", "from": "2026-01-06", "to": "2026-01-09"}, "Bonn"],
    },
    "detector_amounts": {
        "id": "amounts",
        "version": 1,
        "title": "Amounts",
        "description": "Amounts at a merchant.",
        "subject": "merchant",
        "model": "gaussian",
        "segment": "entity",
        "where": "merchant is not null and amount is not null",
        "seed": 7,
        "window_size": 0,
        "grace_period": 20,
        "warm_up": 100,
        "budget": 0.05,
        "max_segments": 4,
        "inputs": {
            "size": {
                "value": "amount / avg(amount) over merchant_3d_prior",
                "scale": {"kind": "ratio", "max": 1000},
                "missing": {"impute": 1},
            }
        },
    },
}


def plan(folder: Path) -> Plan:
    """The rules above."""
    return plan_of(folder, *RULES, entity_tz="Europe/Berlin", **FILES)


def stream(seed: int, count: int = 400) -> pa.Table:
    """Events in order of arrival: late ones, ties, profiles, ticks, duplicates, conflicts, far too late ones."""
    random_ = random.Random(seed)
    time, rows = START_US, []
    for i in range(count):
        time += random_.choice((0, 0, HOUR // 4, HOUR, HOUR, 3 * HOUR))
        at = time - random_.choice((0,) * 8 + (HOUR, DAY, 5 * DAY, 11 * DAY))
        what = random_.random()
        if what < 0.04:
            rows.append(tick(f"t{i}", time))
        elif what < 0.10:
            rows.append(_profile(random_, i, at))
        elif what < 0.14 and rows:
            again = dict(random_.choice(rows))
            if what < 0.12:
                again |= {"memo": f"other {i}"}
            rows.append(again)
        elif what < 0.15:
            rows.append(event(f"e{i}", time - 200 * DAY, payer="a1"))
        else:
            rows.append(_payment(random_, i, at))
    return table(rows)


def _payment(random_: random.Random, i: int, at: int) -> dict[str, Any]:
    pick = random_.choice
    return event(
        f"e{i}",
        at,
        amount=pick((0, 999, 2500, 5000, 10_000, 250_000)),
        kind=pick(("payment", "payment", "transfer", "transfer", "refund", "authorization")),
        status=pick((None, "settled", "settled", "declined")),
        payer=pick(("a1", "a2", "a3", None)),
        payee=pick(("a1", "b1", "b2", None)),
        merchant=pick(("m1", "m2", None)),
        card=pick(("c1", "c2", "c3", None)),
        channel=pick(("pos", "ecom")),
        city=pick(("Ulm", "Bonn", "Kiel", "Jena", None)),
        device=pick(("d1", None)),
        mode=pick(("live",) * 12 + ("test",)),
        source=pick(("test", "test", "other")),
    )


def _profile(random_: random.Random, i: int, at: int) -> dict[str, Any]:
    holders = [
        {
            "party": random_.choice(("x", "y")),
            "role": random_.choice(("owner", "joint", None)),
            "valid_from": random_.choice((None, moment(at))),
            "valid_to": random_.choice((None, moment(at + 2 * DAY))),
        }
    ]
    return event(
        f"p{i}",
        at,
        amount=None,
        kind=random_.choice(("account.opened", "account.updated")),
        account=random_.choice(("a1", "a2", "b1")),
        holders=random_.choice((None, holders)),
        attributes=random_.choice((None, [("minor", "true")], [("minor", "false"), ("home_country", "DE")])),
    )


def fingerprint(hits: pa.Table, alerts: pa.Table) -> str:
    """A hash over every value of hits and alerts, in order."""
    digest = hashlib.sha256()
    for row in [*hits.to_pylist(), *alerts.to_pylist()]:
        shown = {k: v.isoformat() if isinstance(v, datetime) else v for k, v in row.items()}
        digest.update(repr(shown).encode())
    return digest.hexdigest()


def main() -> None:
    """Print the fingerprint of the stream with the seed on the command line."""
    with tempfile.TemporaryDirectory() as folder:
        scorer = Scorer(plan(Path(folder)))
        hits = feed(scorer, stream(int(sys.argv[1])))
        sys.stdout.write(fingerprint(hits, scorer.alerts.table()) + "\n")


if __name__ == "__main__":
    main()
