"""The queue with ten thousand alerts: what is shown, what is read, and how long the first sight of it takes.

Nothing is judged by the clock: times go to a file beside the pictures (`shots.kept`).
"""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from consolekit import Browser, Site, desk_of, hosted
from shots import keep, kept

from txmon.clock import SystemClock
from txmon.store.access import Access

ALERTS, TIMES = 10_000, 5
# from a moment to the first frame in which a row of the queue was painted
PAINTED = """() => new Promise((done) => {
  const look = () => document.querySelector('tr[data-alert]')
    ? requestAnimationFrame(() => requestAnimationFrame(() => done(performance.now())))
    : requestAnimationFrame(look);
  look();
})"""


@pytest.fixture(scope="module")
def crowded(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    from apikit import CRITICAL  # isort: skip
    from caseskit import PROTECTED
    from servicekit import Bench, pay, send, simple_rules  # isort: skip

    folder = tmp_path_factory.mktemp("crowded")
    bench = Bench(folder, simple_rules(folder, CRITICAL, PROTECTED), str(folder / "store"))
    bench.clock.time_us = SystemClock().now_us()  # the browser's, so that ages are ages
    service = bench.open(port=0)
    access = Access(service.store)
    made = service.change(lambda tx: access.bootstrap(tx, [("Ana", ["analyst"]), ("Ben", [])])).result(60)
    events = [
        pay(
            f"p-{n}",
            n % 50,
            amount="950.00" if n % 4 == 0 else "450.00",
            payer=f"acct-{n}",
            payee=f"shop-{n % 97}",
        )
        for n in range(ALERTS)
    ]
    send(service, events, range(0, ALERTS, 2_000))
    with hosted(service) as url:
        yield Site(url, {"Ana": made[0].token}, {}, folder)


def test_ten_thousand_alerts(browser: Browser, crowded: Site) -> None:
    from_key, from_page = [], []
    for number in range(TIMES):
        with desk_of(browser, crowded) as desk:
            page = desk.page
            page.goto(f"{crowded.url}/console")
            page.get_by_label("API key").fill(crowded.keys["Ana"])
            page.get_by_label("Purpose of this session").fill("first paint")
            page.evaluate(
                "document.querySelector('button[type=submit]').addEventListener('click', () => { window.begun = performance.now() })"
            )
            page.get_by_role("button", name="Sign in").click()
            shown = page.evaluate(PAINTED)
            from_key.append(shown - page.evaluate("window.begun"))
            desk.go("cases")
            begun = page.evaluate(
                "() => { const now = performance.now(); location.hash = '#/queue'; return now }"
            )
            from_page.append(page.evaluate(PAINTED) - begun)
            if number:
                continue
            desk.shown()
            assert page.get_by_text("100 of 10").count() == 1  # a page of them is read, not all
            keep(page, "many-1280.png")
            rows = page.locator("tr[data-alert]")
            assert rows.count() == 100
            rows.last.scroll_into_view_if_needed()
            page.wait_for_function("() => document.querySelectorAll('tr[data-alert]').length >= 200")
            ids = page.eval_on_selector_all("tr[data-alert]", "all => all.map((each) => each.dataset.alert)")
            assert len(set(ids)) == len(ids)
            first = crowded.get("Ana", "/v1/queue?limit=200")["items"]
            assert ids[:200] == [each["alert_id"] for each in first]
            assert desk.seen.faults == []
    told = {
        "alerts": ALERTS,
        "sign_in_to_queue_ms": sorted(map(round, from_key)),
        "page_to_queue_ms": sorted(map(round, from_page)),
    }
    (kept() / "measured.json").write_text(json.dumps(told) + "\n")
