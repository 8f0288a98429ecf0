"""The demo from end to end: simulate, send through the service, choose, tell, write.

Owns the order of the steps and the names of the files. Scoring is the service's: it sees the events and
never the labels.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from txmon.clock import Clock, monotonic_s, rfc3339
from txmon.demo import papers
from txmon.demo.casework import work
from txmon.demo.desk import Desk, OpenDesk, pipeline_key, send, take_up
from txmon.demo.filing import REPORTS, file_reports
from txmon.demo.lookalike import nearest_look_alike
from txmon.demo.page import page
from txmon.demo.stored import stored_results
from txmon.demo.story import Story, choose_alert, tell
from txmon.demo.summary import Run, summary
from txmon.engine.warm import warm_up
from txmon.errors import ConfigError
from txmon.model.keys import PanKey
from txmon.pipeline.scorer import Scorer
from txmon.rules.ir import Plan
from txmon.rules.pack import load_pack
from txmon.simulate import simulate, write
from txmon.simulate.report import judge
from txmon.streams.feedfile import load_feed
from txmon.streams.score import ALERTS_FILE, HITS_FILE
from txmon.streams.source import open_source

EVENTS_FILE, LABELS_FILE, PAGE_FILE = "events.parquet", "labels.parquet", "alert.html"
FEED = "native"


def demo(
    out: Path,
    events: int,
    seed: int,
    key: PanKey,
    open_desk: OpenDesk,
    clock: Clock,
    say: Callable[[str], None],
) -> list[str]:
    """Make the demo below `out`; return the lines to print.

    Args:
        events: how many to simulate.
        open_desk: starts the service.
        say: told what takes a while.

    Raises:
        ConfigError: `events` or `seed` is out of range, or `out` cannot be written.
        RuleErrors: the packs that ship do not load.
    """
    say(f"simulating {events:,} events (seed {seed})")
    write(simulate(events, seed), out / EVENTS_FILE, out / LABELS_FILE)
    plan = load_pack()
    stream, labels = (pq.read_table(out / name) for name in (EVENTS_FILE, LABELS_FILE))
    times = pc.min_max(stream.column("event_time")).as_py()
    papers.prepare(out, out / EVENTS_FILE, (times["min"].date(), times["max"].date()))
    warm_up(say)
    with open_desk(out) as desk:
        pipeline, granted = pipeline_key(desk)
        told = [granted]
        say(f"sending them through the service: {len(plan.rules)} rules, every batch committed")
        started = monotonic_s()
        send(desk, pipeline, out / EVENTS_FILE)
        seconds = monotonic_s() - started
        hits, alerts = stored_results(desk.store)
        chosen = choose_alert(alerts, labels)
        story = None if chosen is None else tell(chosen, stream, hits, plan)
        if story is not None:
            told += _work(out, desk, story, clock, say)
    pq.write_table(hits, out / HITS_FILE, compression="zstd")
    pq.write_table(alerts, out / ALERTS_FILE, compression="zstd")
    run = Run(len(stream), seed, len(plan.rules), len(hits), len(alerts), seconds, str(out), tuple(told))
    judged = judge(labels, hits, alerts)
    if story is None:
        return summary(run, None, None, judged)
    other = nearest_look_alike(story, stream, labels, alerts, plan, _prober(key))
    try:
        (out / PAGE_FILE).write_text(page(run, story, other, judged), encoding="utf-8")
    except OSError as error:
        raise ConfigError(
            f"cannot write {out / PAGE_FILE}: {error.strerror}; choose another --out"
        ) from error
    return summary(run, story, other, judged)


def _work(out: Path, desk: Desk, story: Story, clock: Clock, say: Callable[[str], None]) -> list[str]:
    """Let two people work on the alert, up to reports and bundles; returns what is told of it."""
    alert = story.alert
    told = [take_up(desk, alert["alert_id"])]
    receiver = next((flow.name for flow in story.targets), None)
    made = work(desk, alert, receiver, rfc3339(clock.now_us()))
    say("writing reports of the case and bundles of its evidence")
    filed = file_reports(desk, made.case_id, out)
    proven = papers.bundles(desk.store, alert["alert_id"], out, clock)
    reports = ", ".join(REPORTS.values())
    bundles = ", ".join(path.name for path in proven)
    return [*told, *made.told, *filed, f"Reports, each marked SIMULATED: {reports}; evidence: {bundles}"]


def _prober(key: PanKey) -> Callable[[Plan, Any], Any]:
    """Score events with a plan of their own, in memory but for the file that the feed reads."""

    def probe(plan: Plan, events: Any) -> Any:
        scorer, feed = Scorer(plan), load_feed(FEED)
        with TemporaryDirectory() as folder:
            path = Path(folder) / EVENTS_FILE
            pq.write_table(events, path)
            found = [scorer.apply(batch.events).hits for batch in open_source(feed, path, key=key)]
        return pa.concat_tables(found)

    return probe
