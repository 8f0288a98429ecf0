"""A process for the crash test: journals, erases and applies as fast as it can.

    python applier.py PLACE SEED

Prints the warehouse's mark after each step. Ends only when it is killed.
"""

from __future__ import annotations

import os
import random
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from warehousekit import fill, open_store, shown

from txmon.store.erase import Why, erase_events
from txmon.store.warehouse import Warehouse


def main() -> None:
    """Apply until killed."""
    place, seed = Path(sys.argv[1]), int(sys.argv[2])
    draw = random.Random(seed)
    with open_store(place, seed=seed) as store, Warehouse.open(place / "warehouse") as warehouse:
        for step in range(100_000):
            fill(store, draw, 3, days=2)
            warehouse.catch_up(store)
            os.write(1, f"{warehouse.mark.seq}\n".encode())
            if step % 3 == 2:
                some = shown(warehouse, "select source, event_id from events using sample 3")
                keys = [(row["source"], row["event_id"]) for row in some]
                erase_events(store, keys, Why("drill", "ana", "ben"))


if __name__ == "__main__":
    main()
