"""What names somebody is read for a purpose alone, in a restricted case on a click alone, and each look is recorded."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable

from consolekit import Browser, Site, desk_of
from playwright.sync_api import expect


def test_without_a_purpose_no_name_comes_to_the_browser(browser: Browser, site: Site) -> None:
    first = site.alerts(1)[0]
    with desk_of(browser, site) as desk:
        desk.enter("Ana", "")
        expect(desk.page.get_by_role("button", name="Names are hidden")).to_be_visible()
        desk.go("alert", first["alert_id"])
        expect(desk.page.get_by_text("Events are shown for a purpose.")).to_be_visible()
        read = [r.response() for r in desk.seen.requests if "/v1/" in r.url and "stream" not in r.url]
        assert len(read) > 3
        assert not any(answer and first["subject_id"] in answer.text() for answer in read)
        assert not any(r.headers.get("x-purpose") for r in desk.seen.requests)
        desk.page.keyboard.press("p")
        desk.page.get_by_label("What you read it for").fill("follow-up of a tip")
        desk.page.keyboard.press("Enter")
        expect(desk.page.locator("h1")).to_contain_text(first["subject_id"])
        asked = [r.headers.get("x-purpose") for r in desk.seen.requests if r.url.endswith(first["alert_id"])]
        assert asked[-1] == "follow-up of a tip"


def test_a_purpose_may_be_in_any_script(browser: Browser, site: Site) -> None:
    with desk_of(browser, site) as desk:
        desk.enter("Ana", "Prüfung – проверка")
        assert desk.seen.faults == []
        desk.go("alert", site.alerts(1)[0]["alert_id"])
        expect(desk.page.get_by_role("heading", name="Events")).to_be_visible()


def test_of_a_restricted_case_nothing_is_read_before_a_click(browser: Browser, site: Site) -> None:
    alert = site.alerts(1, severity="high")[0]
    case_id = site.case(alert, title="Payouts to a minor", restriction="child_exploitation")
    with desk_of(browser, site) as desk:
        desk.enter("Ana", "daily work")
        page = desk.page
        for parts in (("alert", alert["alert_id"]), ("case", case_id)):
            desk.go(*parts)
            expect(page.get_by_role("button", name=re.compile("^Show names and"))).to_be_visible()
            assert alert["subject_id"] not in page.locator("main").inner_text()
        before = noted(site, "case.read"), noted(site, "case.timeline")
        named = [r for r in desk.seen.requests if case_id in r.url and r.headers.get("x-purpose")]
        assert named == []
        page.get_by_role("button", name="Show names and texts").click()
        page.get_by_label("What you read it for").fill("case of the child unit")
        page.keyboard.press("Enter")
        expect(page.locator("h1")).to_contain_text("Payouts to a minor")
        assert (
            page.get_by_role("button", name="Show the timeline").count() == 1
        )  # each part is a click of its own
        page.get_by_role("button", name="Show the timeline").click()
        expect(page.get_by_text("case opened by Ana (me)")).to_be_visible()
        until(
            lambda: (noted(site, "case.read"), noted(site, "case.timeline")) == (before[0] + 1, before[1] + 1)
        )
        sent = {r.headers.get("x-purpose") for r in desk.seen.requests if case_id in r.url} - {None}
        assert sent == {"case of the child unit"}


def noted(site: Site, action: str) -> int:
    """How often Ana did this, as the record tells an auditor: of a restricted case that it was done, not what."""
    who = f"identity=person:{site.people['Ana']}"
    return len(site.get("Otto", f"/v1/audit?{who}&action={action}&limit=200")["items"])


def until(condition: Callable[[], bool]) -> None:
    """Wait for what is written once a second."""
    pause = threading.Event()
    for _ in range(200):
        if condition():
            return
        pause.wait(0.1)
    raise AssertionError("what had to come to pass did not")


def test_an_address_of_the_web_never_becomes_a_link(browser: Browser, site: Site) -> None:
    case_id = site.case(
        site.alerts(1, severity="medium")[0], title="Payouts", restriction="child_exploitation"
    )
    url = "https://bad.example/room?id=7"
    with desk_of(browser, site) as desk:
        desk.enter("Ana")
        desk.go("case", case_id)
        desk.page.get_by_role("button", name="Comment").click()
        desk.page.get_by_label("Text").fill(f"seen at {url}")
        desk.page.keyboard.press("Control+Enter")
        expect(desk.page.locator("dialog [role=alert]")).not_to_be_empty()  # refused: the API takes none
        desk.page.keyboard.press("Escape")
        desk.page.get_by_role("button", name="Keep a web address").click()
        desk.page.get_by_role("textbox", name="Address").fill(url)
        desk.page.get_by_label("Reference of the hotline").fill("HL-2026-17")
        desk.page.get_by_role("button", name="Keep", exact=True).click()
        expect(desk.page.get_by_role("dialog")).to_have_count(0)
        links = desk.page.eval_on_selector_all("a", "all => all.map((each) => each.getAttribute('href'))")
        assert all(each.startswith("#") for each in links)
        assert url not in desk.page.content()


def test_text_that_looks_like_a_page_stays_text(browser: Browser, site: Site) -> None:
    evil = "<img src=x onerror=alert(1)><a href='https://bad.example'>x</a>"
    case_id = site.case(site.alerts(1, severity="medium")[0], title=evil)
    with desk_of(browser, site) as desk:
        desk.enter("Ana")
        desk.go("case", case_id)
        expect(desk.page.locator("h1")).to_contain_text(evil)
        assert desk.page.locator("main img").count() == 0
        sink = "() => { try { document.createElement('div').innerHTML = '<b>x</b>'; return 'taken' } catch (error) { return error.name } }"
        assert desk.page.evaluate(sink) == "TypeError"  # Trusted Types: no text becomes a page
        assert desk.seen.foreign(site) == []
