"""The judge of a crash drill, a process of its own: reads the log of acknowledgements and the reopened store.

    verifier.py KIND STORE LOG STREAM...     prints one JSON object: acked, found, lost, duplicated

Nothing of the service's process is known to it. For a followed source the journal must hold exactly what lies
before the stored position, no more and no less, and that must not be behind what others saw committed.
"""

from __future__ import annotations

import json
import random
import sys
from collections import Counter
from pathlib import Path

import sqlalchemy as sa
from crashkit import acknowledged, identity, lines_before, lines_of

from txmon.clock import SystemClock
from txmon.store import Store, journal
from txmon.store.schema import alert_hits, hits, offsets, outbox, quarantine

_HIT = (hits.c.source, hits.c.event_id, hits.c.leg, hits.c.rule_id, hits.c.trigger, hits.c.subject_id)


def main() -> None:
    """See the module."""
    kind, place, log, *files = sys.argv[1:]
    streams = [Path(f) for f in files]
    acked = acknowledged(Path(log), streams)
    with Store.open(
        Path(place), clock=SystemClock(), random_bytes=random.Random(1).randbytes, read_only=True
    ) as store:
        found = Counter(_events(store))
        refused = Counter(_refused(store))
        twice = sum(n - 1 for n in found.values()) + _repeated(store)
        if kind != "http":
            position = _position(store)
            if kind == "file":
                acked, stored = [lines_before(streams[0], acked[0])], lines_before(streams[0], position)
            else:
                stored = position + 1
            everything = [identity(line) for line in _first(streams[0], stored)]
            twice += sum(n - 1 for n in refused.values())
            beyond = found.keys() - set(everything)
            behind = max(0, acked[0] - stored)  # the position itself was lost
            bad = sum(1 for name in everything if name is None)
            missing = [n for n in everything if n is not None and n not in found]
            lost = len(missing) + behind + max(0, bad - len(refused))
            twice += len(beyond) + max(0, len(refused) - bad)
            wanted = acked[0]
        else:
            names = [
                identity(line) for path, n in zip(streams, acked, strict=True) for line in _first(path, n)
            ]
            lost, wanted = sum(1 for n in names if n not in found), len(names)
    there = sum(found.values()) + sum(refused.values())
    sys.stdout.write(json.dumps({"acked": wanted, "found": there, "lost": lost, "duplicated": twice}) + "\n")


def _first(path: Path, count: int) -> list[bytes]:
    return [line for _, line in zip(range(count), lines_of(path), strict=False)]


def _position(store: Store) -> int:
    with store.read() as conn:
        found = conn.execute(sa.select(sa.func.max(offsets.c.position))).scalar()
    return -1 if found is None else int(found)


def _events(store: Store) -> list[tuple[str, str]]:
    names: list[tuple[str, str]] = []
    for entry in journal.read(store, kinds=(journal.EVENTS,)):
        table = entry.table
        names += zip(table.column("source").to_pylist(), table.column("event_id").to_pylist(), strict=True)
    return [name for name in names if name[0] != "txmon"]


def _refused(store: Store) -> list[str]:
    with store.read() as conn:
        return list(conn.execute(sa.select(quarantine.c.raw)).scalars())


def _repeated(store: Store) -> int:
    """Hits that are there twice, alerts that were opened or told of twice."""
    with store.read() as conn:
        same = conn.execute(sa.select(sa.func.count()).select_from(hits).group_by(*_HIT)).scalars()
        repeated = sum(n - 1 for n in same)
        told = Counter(
            json.loads(body)["full"]["alert_id"]
            for body in conn.execute(
                sa.select(outbox.c.body).where(outbox.c.kind == "alert.opened")
            ).scalars()
        )
        opened = Counter(
            conn.execute(sa.select(alert_hits.c.alert_id).where(alert_hits.c.change == "opened")).scalars()
        )
    return repeated + sum(n - 1 for n in told.values()) + sum(n - 1 for n in opened.values())


if __name__ == "__main__":
    main()
