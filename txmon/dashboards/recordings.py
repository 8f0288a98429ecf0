"""Recording rules: shares of requests with events that failed or were slow, over the windows of burn rates.

Owns what counts as failed and as slow. A request that is refused because the caller is at fault (4xx) did not
fail.
"""

from __future__ import annotations

from txmon.dashboards.kinds import Recording
from txmon.dashboards.tuning import Tuning

BY = "by (job, instance)"
WINDOWS = ("5m", "30m", "1h", "6h")
ERRORS, SLOW = "instance:txmon_ingest_errors:ratio_rate", "instance:txmon_ingest_slow:ratio_rate"
_EVENTS, _ONE = 'route=~"/v1/events(:bulk)?"', 'route="/v1/events"'


def recordings(tuning: Tuning) -> list[Recording]:
    """Return all of them."""
    found = []
    for window in WINDOWS:
        over = tuning.window(window)
        asked = f"sum {BY} (rate(txmon_request_seconds_count{{{_EVENTS}}}[{over}]))"
        failed = f'sum {BY} (rate(txmon_request_seconds_count{{{_EVENTS}, status_class="5xx"}}[{over}]))'
        one = f"sum {BY} (rate(txmon_request_seconds_count{{{_ONE}}}[{over}]))"
        quick = f'sum {BY} (rate(txmon_request_seconds_bucket{{{_ONE}, le="{tuning.slow_s}"}}[{over}]))'
        found.append(Recording(ERRORS + window, f"({failed} or 0 * {asked}) / {asked}"))
        found.append(Recording(SLOW + window, f"1 - {quick} / {one}"))
    return found
