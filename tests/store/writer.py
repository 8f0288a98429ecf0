"""A writer process for the crash tests: journals batches as fast as it can, and says what was committed.

    python writer.py PLACE HEADS SEED

Prints a line ``seq events`` after each commit; a line is the acknowledgement. Ends only when it is killed.
"""

from __future__ import annotations

import os
import random
import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1])]

from storekit import add_batch, open_store  # noqa: E402


def main() -> None:
    """Write until killed."""
    place, heads, seed = sys.argv[1:]
    draw = random.Random(int(seed))
    with open_store(place, heads=Path(heads), random_bytes=random.Random(int(seed)).randbytes) as store:
        for _ in range(100_000):
            entry = add_batch(store, draw.choice([1, 5, 16, 400]), hit_count=1)
            os.write(1, f"{entry.seq} {entry.first_event_seq + entry.event_count}\n".encode())


if __name__ == "__main__":
    main()
