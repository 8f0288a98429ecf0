"""What is past its retention is shown by no route: by the clock, before the job ran and after it, held or not."""

from __future__ import annotations

import re

import sqlalchemy as sa
from caseskit import Desk
from keepkit import BY, PLANTED, YEARS_20, Filled

from txmon.pipeline.housekeeping import Housekeeping
from txmon.store.due import is_past
from txmon.store.retention import DAY_US
from txmon.store.retentionfile import load_classes
from txmon.store.retire import retire
from txmon.store.schema import alerts

_CHANGING = re.compile(r"/v1/status|/metrics|/v1/audit|/livez|/readyz")


def test_what_is_past_is_hidden_at_once_and_the_job_changes_no_answer(either: Desk) -> None:
    filled = Filled(either)
    before = filled.crawl()
    shown = " ".join(text for _, text in before.values())
    for what in (
        "alone",
        "shop",
        "memo",
        "linked",
        "title",
        "name",
        "basis",
        "comment",
        "note",
        "reason",
        "raw",
    ):
        assert PLANTED + what in shown, f"{what} is never shown, so that this test would prove nothing"
    filled.later()
    hidden = filled.crawl()
    for path, (_, text) in hidden.items():
        assert PLANTED not in text, path
        for each in filled.ids:
            assert each not in text, (path, each)
    retire(filled.store, load_classes().at(either.api.service.doors.clock.now_us()), BY)
    after = filled.crawl()
    for path, answer in hidden.items():
        if not _CHANGING.search(path):
            assert after[path] == answer, path


def test_what_is_not_past_is_shown(either: Desk) -> None:
    filled = Filled(either)
    before = filled.crawl()
    filled.later(86_400_000_000)
    for path, (status, _) in filled.crawl().items():
        assert status == before[path][0], path


def test_the_stream_of_alerts_and_the_gauges_know_of_nothing_past(desk: Desk) -> None:
    filled = Filled(desk)
    live = desk.api.app._live
    who = desk.api.access.known[desk.ana]
    rows = live._read(who, 0)
    assert rows
    assert not [row for row in rows if row.shut]
    house = Housekeeping(desk.api.service)
    house.round()
    gauge = desk.api.service.metrics.alerts_open.labels("critical")
    assert gauge._value.get() > 0
    filled.later(29 * DAY_US)
    assert live._read(who, 0)
    desk.change(
        lambda tx: tx.conn.execute(sa.update(alerts).values(last_event_time=0, changed_us=0)) and None
    )
    shut = {row.bodies["neutral"]["alert_id"] for row in live._read(who, 0) if row.shut}
    assert {filled.alone["alert_id"]} <= shut
    filled.later(2 * DAY_US)  # messages are past before the alerts they tell of
    assert live._read(who, 0) == []
    house.round()
    assert gauge._value.get() == 0


def test_no_bundle_is_made_of_what_is_past(desk: Desk) -> None:
    filled = Filled(desk)
    now = desk.api.service.doors.clock.now_us()
    assert not is_past(filled.store, filled.alone["alert_id"], load_classes().at(now))
    assert is_past(filled.store, filled.alone["alert_id"], load_classes().at(now + YEARS_20))
