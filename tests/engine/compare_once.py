"""Compare a few streams with the oracle in a process of its own; exit 3 on the first difference.

Used on copies of the package into which a fault was planted (`test_planted_faults`). Run it with
``NUMBA_DISABLE_JIT=1`` so that nothing is compiled.
"""

from __future__ import annotations

import itertools
import sys
import tempfile
import warnings
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from hypothesis import Phase, given, settings
from stream_strategies import rows
from test_windows_equal_oracle import Case, every
from txkit import DAY, at, event

# "events" are few windows with every aggregate; what they leave out has a name of its own
CASES: dict[str, tuple[tuple[str, ...], str]] = {
    "events": (("ip_1d", "payer_3d"), "ip"),
    "prior": (("ip_9d_prior",), "ip"),
    "month": (("payee_month", "ip_prev_month"), "ip"),
}


TURN = at(days=26, hours=11)  # 1 February in the zone of the plan
HALF_DAYS = [at(days=k / 2) for k in range(12)]
EDGES = (HALF_DAYS, [*HALF_DAYS[:3], *(TURN + d for d in (-DAY, -1, 0, 1, DAY))])


def edges(times: list[int], offset: int) -> list[dict[str, Any]]:
    """One key whose events lie exactly a window apart, or around a change of month, out of order."""
    order = [(i * 5 + offset) % len(times) for i in range(len(times))]
    return [
        event(
            f"e{i}",
            times[place],
            amount=100 * (place % 3),
            ip="i",
            payer="p1",
            payee="x",
            city="uv"[place % 2],
        )
        for i, place in enumerate(order)
    ]


def main() -> int:
    """Return 0 if everything equals the oracle, 3 if not."""
    warnings.simplefilter("ignore", RuntimeWarning)  # words wrap on purpose; numpy says so when not compiled
    windows, subject = CASES[sys.argv[1]]
    with tempfile.TemporaryDirectory() as folder:
        case = Case(Path(folder), every(windows), subject)

        @settings(max_examples=4, derandomize=True, database=None, deadline=None, phases=[Phase.generate])
        @given(rows(most=30))
        def check(stream: list[dict[str, Any]]) -> None:
            case.check(stream, [len(stream) // 2])

        try:
            for times, offset in itertools.product(EDGES, (0, 1, 4)):
                stream = edges(times, offset)
                case.check(stream, [5])
                case.check(sorted(stream, key=lambda r: (r["event_time"], r["event_id"])), [])
            check()
        except (AssertionError, ZeroDivisionError, IndexError) as error:
            sys.stdout.write(f"difference: {str(error)[:300]}\n")
            return 3
    return 0


if __name__ == "__main__":
    sys.exit(main())
