"""The demo from end to end: simulate, score, choose, tell, write.

Owns the order of the steps and the names of the files. Scoring is that of `txmon score`: it sees the
events and never the labels.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from txmon.demo.lookalike import nearest_look_alike
from txmon.demo.page import page
from txmon.demo.story import choose_alert, tell
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
from txmon.streams.score import ALERTS_FILE, HITS_FILE, score
from txmon.streams.source import open_source

EVENTS_FILE, LABELS_FILE, PAGE_FILE = "events.parquet", "labels.parquet", "alert.html"
FEED = "native"


def demo(out: Path, events: int, seed: int, key: PanKey, say: Callable[[str], None]) -> list[str]:
    """Make the demo below `out`; return the lines to print.

    Args:
        events: how many to simulate.
        say: told what takes a while.

    Raises:
        ConfigError: `events` or `seed` is out of range, or `out` cannot be written.
        RuleErrors: the packs that ship do not load.
    """
    say(f"simulating {events:,} events (seed {seed})")
    write(simulate(events, seed), out / EVENTS_FILE, out / LABELS_FILE)
    feed, plan = load_feed(FEED), load_pack()
    warm_up(say)
    say(f"scoring them with {len(plan.rules)} rules")
    result = score(open_source(feed, out / EVENTS_FILE, key=key), feed, Scorer(plan), out)
    stream, labels, hits, alerts = (
        pq.read_table(out / name) for name in (EVENTS_FILE, LABELS_FILE, HITS_FILE, ALERTS_FILE)
    )
    run = Run(result.events, seed, len(plan.rules), result.hits, result.alerts, result.seconds, str(out))
    chosen = choose_alert(alerts, labels)
    judged = judge(labels, hits, alerts)
    if chosen is None:
        return summary(run, None, None, judged)
    story = tell(chosen, stream, hits, plan)
    other = nearest_look_alike(story, stream, labels, alerts, plan, _prober(key))
    try:
        (out / PAGE_FILE).write_text(page(run, story, other, judged), encoding="utf-8")
    except OSError as error:
        raise ConfigError(
            f"cannot write {out / PAGE_FILE}: {error.strerror}; choose another --out"
        ) from error
    return summary(run, story, other, judged)


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
