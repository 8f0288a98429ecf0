"""The evidence drill: bundles of many alerts, each derived again in two ways, then changed and found out.

    evidence_drill.py [--alerts 50] [--mutations 500] [--events 20000] [--seed 7] [--out evidence-drill.ndjson]

Simulated events go through the service, some late, many at the same moment. Of the alerts some are drawn, one
of each kind at least: a rule that refers to rules, a detector, a late event, a tie. Stock DuckDB, in a process
that has nothing else, runs verify.sql of each bundle; `txmon evidence verify` checks it. Then one thing is
changed at a time, every second time signed anew with the institution's own key. Each line of the report is a
bundle or a change; the last has the figures. Exit code 1 if a bundle fails or a change is not found.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, TextIO

sys.path.append(str(Path(__file__).parents[1]))
sys.path.append(str(Path(__file__).parents[1] / "service"))

import mutate
import pyarrow.parquet as pq
import sqlalchemy as sa
from evidencekit import (
    PUBLIC,
    alerts_of,
    bundle_of,
    files_in,
    reading,
    signed_again,
    table_in,
    unpacked,
    write_zip,
)
from servicekit import Bench, payload, send
from stock import StockDuckDb

from txmon.engine.hits import detectors_read
from txmon.errors import InputError
from txmon.evidence.check import check
from txmon.evidence.source import closure
from txmon.pipeline.history import epochs
from txmon.rules.pack import default_pack
from txmon.simulate import simulate, write
from txmon.store import Store
from txmon.store.schema import alert_hits, hits

PROFILES = ("internal", "internal", "police", "internal", "court", "internal", "clearing-house", "public")
KINDS = ("combination", "detector", "late", "tie")
BATCH = 2_000


@dataclass
class Drill:
    """A run: what is wanted of it, where it works, and what was found."""

    alerts: int
    mutations: int
    rules: int  # how many different ones must be among the hits
    seed: int
    folder: Path
    out: TextIO
    figures: Counter[str] = field(default_factory=Counter)

    def tell(self, **facts: Any) -> None:
        """Write a line of the report."""
        self.out.write(json.dumps(facts) + "\n")
        self.out.flush()


def native(row: dict[str, Any]) -> bytes:
    """A row of the simulator's file as the native feed reads it."""
    made = json.loads(payload({k: v for k, v in row.items() if k != "amount"}))
    return json.dumps(made | ({} if row.get("amount") is None else {"amount": str(row["amount"])})).encode()


def make_store(folder: Path, events: int, seed: int) -> Path:
    """A store of simulated events that the service took in: one in fifty late, one in three at the full minute."""
    write(simulate(events, seed), folder / "events.parquet", folder / "labels.parquet")
    rows = pq.read_table(folder / "events.parquet").to_pylist(maps_as_pydicts="strict")
    chance = random.Random(seed)
    for row in rows:
        if chance.random() < 1 / 3:
            row["event_time"] = row["event_time"].replace(second=0, microsecond=0)
    arrival = {id(row): _arrives(row["event_time"], chance.random() < 1 / 50, chance) for row in rows}
    rows.sort(key=lambda row: arrival[id(row)])
    service = Bench(folder, default_pack(), str(folder / "store")).open()
    send(service, [native(row) for row in rows], cuts=range(0, len(rows), BATCH))
    if not service.close():
        raise SystemExit("the service did not come to its end")
    return folder / "store"


def _arrives(moment: datetime, late: bool, chance: random.Random) -> datetime:
    return moment + timedelta(hours=chance.randrange(1, 72)) if late else moment


def chosen(kinds: Mapping[str, set[str]], rules: Mapping[str, Sequence[str]], drill: Drill) -> list[str]:
    """Alerts at random, but one of each kind at least, and of as many rules as are wanted."""
    left = sorted(rules)
    random.Random(drill.seed).shuffle(left)
    found: list[str] = []
    for kind in KINDS:
        if not any(kind in kinds[alert] for alert in found):
            found += [alert for alert in left if kind in kinds[alert]][:1]
    seen = {rule for alert in found for rule in rules[alert]}
    left = [alert for alert in left if alert not in found]
    while left and len(found) < drill.alerts:
        new = next((alert for alert in left if set(rules[alert]) - seen), left[0])
        alert = new if len(seen) < drill.rules else left[0]
        left.remove(alert)
        found.append(alert)
        seen |= set(rules[alert])
    return found


def kinds_of(store: Store) -> dict[str, set[str]]:
    """Which of KINDS the hits of each alert are."""
    config = epochs(store)[-1].config
    query = sa.select(alert_hits.c.alert_id, hits.c.rule_id, hits.c.trigger, hits.c.event_time).join(
        hits, hits.c.hit_id == alert_hits.c.hit_id
    )
    found: dict[str, set[str]] = {}
    moments: set[tuple[str, int]] = set()
    with store.read() as conn:
        for alert, rule_id, trigger, moment in conn.execute(query):
            kinds, below = found.setdefault(alert, set()), closure(config.rules[rule_id], config.rules)
            kinds |= {"combination"} if len(below) > 1 else set()
            kinds |= {"detector"} if any(detectors_read(rule) for rule in below) else set()
            kinds |= {"late"} if trigger == "late" else set()
            kinds |= {"tie"} if trigger == "event" and (alert, moment) in moments else set()
            moments.add((alert, moment))
    return found


def run(store: Store, drill: Drill) -> Counter[str]:
    """Make the bundles, check them, change them; returns the figures."""
    known = kinds_of(store)
    alerts = chosen(known, alerts_of(store), drill)
    rules: set[str] = set()
    with StockDuckDb() as duckdb:
        bundles = []
        for number, alert in enumerate(alerts):
            kinds, profile = sorted(known[alert]), PROFILES[number % len(PROFILES)]
            files = _whole(store, drill, duckdb, (number, alert, profile, kinds))
            bundles.append(files)
            rules |= set(table_in(files, "hits.parquet").column("rule_id").to_pylist())
            drill.figures.update(f"alerts with {kind}" for kind in kinds)
        _controls(drill, duckdb, bundles)
        chance = random.Random(drill.seed)
        for number in range(drill.mutations):
            _changed(drill, duckdb, bundles[number // 2 % len(bundles)], chance, number)
    drill.figures["rules"] = len(rules)
    for kind in KINDS:
        drill.figures["failures"] += not drill.figures[f"alerts with {kind}"]
    drill.figures["failures"] += len(rules) < drill.rules or len(alerts) < drill.alerts
    return drill.figures


def _whole(store: Store, drill: Drill, duckdb: StockDuckDb, which: Sequence[Any]) -> mutate.Files:
    """A bundle as it was made: both ways must say so."""
    number, alert, profile, kinds = which
    path = drill.folder / f"{number}.zip"
    made = bundle_of(store, alert, path, profile)
    verdict, said, findings = _judged(path, drill.folder / "unpacked", duckdb)
    passed = verdict == "PASS" and not findings
    drill.figures.update({"alerts": 1, "hits": made.hits, "derived": made.derived, "passed": passed})
    drill.figures["failures"] += not passed
    drill.tell(
        alert=alert, profile=profile, kinds=kinds, events=made.events, hits=made.hits, derived=made.derived,
        duckdb=verdict, findings=findings[:3], said="" if passed else said[:500],
    )  # fmt: skip
    files = files_in(path)
    path.unlink()
    return files


def _controls(drill: Drill, duckdb: StockDuckDb, bundles: Sequence[mutate.Files]) -> None:
    """Signing anew is not what is found: a bundle with nothing changed passes after it."""
    for files in bundles[: len(PROFILES)]:
        path = write_zip(drill.folder / "control.zip", signed_again(files))
        verdict, said, findings = _judged(path, drill.folder / "unpacked", duckdb)
        passed = verdict == "PASS" and not findings
        drill.figures.update({"controls": 1, "failures": not passed})
        drill.tell(control=verdict, findings=findings[:3], said="" if passed else said[:500])


def _changed(
    drill: Drill, duckdb: StockDuckDb, files: mutate.Files, chance: random.Random, number: int
) -> None:
    made = mutate.draw(files, chance, number)
    path = write_zip(drill.folder / "changed.zip", made.files)
    verdict, said, findings = _judged(path, drill.folder / "unpacked", duckdb)
    by_duckdb, by_verify = verdict != "PASS", bool(findings)
    missed = not by_verify or (made.seen == mutate.BOTH and not by_duckdb)
    told = {"found by both": by_duckdb and by_verify, "found by verify alone": by_verify and not by_duckdb}
    told |= {"signed anew": made.signed, "missed": missed, "failures": missed}
    drill.figures.update({"mutations": 1} | told)
    drill.tell(
        number=number, file=made.file, what=made.what, signed=made.signed, due=made.seen, duckdb=verdict,
        verify=by_verify, missed=missed, findings=findings[:2], said=said[:300] if missed else "",
    )  # fmt: skip


def _judged(path: Path, folder: Path, duckdb: StockDuckDb) -> tuple[str, str, list[str]]:
    """What DuckDB says, all of it, and what `check` finds."""
    try:
        findings = check(path, PUBLIC).findings
    except InputError as error:  # no bundle at all
        findings = [error.detail]
    verdict, said = duckdb.run(unpacked(path, folder))
    shutil.rmtree(folder)
    return verdict, said, findings


def main() -> None:
    """Run the drill of the command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--alerts", type=int, default=50)
    parser.add_argument("--mutations", type=int, default=500)
    parser.add_argument("--rules", type=int, default=10)
    parser.add_argument("--events", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--out", type=Path, default=Path("evidence-drill.ndjson"))
    asked = parser.parse_args()
    started = time.monotonic()
    with (
        tempfile.TemporaryDirectory(prefix="txmon-evidence-") as folder,
        asked.out.open("w", encoding="utf-8") as out,
    ):
        drill = Drill(asked.alerts, asked.mutations, asked.rules, asked.seed, Path(folder), out)
        with reading(make_store(drill.folder, asked.events, asked.seed)) as store:
            figures = dict(run(store, drill))
        figures["seconds"] = round(time.monotonic() - started)
        drill.tell(**figures)
    sys.stdout.write(json.dumps(figures) + "\n")
    sys.exit(1 if figures["failures"] else 0)


if __name__ == "__main__":
    main()
