"""Five tasks, each in three clicks at most from where one stands; the last one is with the vault's tests of its form."""

from __future__ import annotations

import re
from typing import Any

import pytest
from consolekit import Browser, Desk, Site, desk_of
from playwright.sync_api import expect

MOST = 3


@pytest.fixture
def ana(browser: Browser, site: Site) -> Any:
    with desk_of(browser, site) as desk:
        desk.enter("Ana")
        yield desk
        assert desk.clicks <= MOST
        assert desk.seen.faults == []
        assert desk.seen.unlisted() == []


def oldest(site: Site) -> str:
    """The oldest critical alert, as the API lists them all."""
    found = site.alerts(200, severity="critical", order="age")
    return str(found[0]["alert_id"])


def test_find_the_oldest_critical_alert(ana: Desk, site: Site) -> None:
    ana.go("rules")  # from another page
    ana.click("link", "Queue")
    ana.shown()
    assert ana.page.locator("tr[data-alert]").first.get_attribute("data-alert") == oldest(site)


def test_see_why_it_fired(ana: Desk, site: Site) -> None:
    alert = site.get("Ana", f"/v1/alerts/{oldest(site)}")
    ana.click("link", alert["subject_id"])
    expect(ana.page.get_by_text(alert["hits"][0]["explanation"]).first).to_be_visible()


def test_open_a_case_with_two_alerts(ana: Desk, site: Site) -> None:
    for each in site.alerts(2, severity="low"):
        ana.go("queue") if ana.clicks == 0 else None
        ana.page.locator(f"tr[data-alert='{each['alert_id']}'] input").check()
        ana.clicks += 1
    ana.click("button", "Open case")
    ana.page.get_by_label("Title").fill("Cash below the line")
    ana.page.get_by_label("Why these belong together").fill("same days")
    ana.page.keyboard.press("Control+Enter")
    expect(ana.page.locator("h1")).to_contain_text("Cash below the line")
    ana.shown()
    case_id = ana.page.evaluate("location.hash").rpartition("/")[2]
    assert len(site.get("Ana", f"/v1/cases/{case_id}")["alerts"]) == 2


def test_mark_a_possible_victim(ana: Desk, site: Site) -> None:
    case_id = site.case(next(each for each in site.alerts(100) if not each["protect"]))
    ana.go("case", case_id)
    ana.click("button", "Possible victim")
    ana.page.get_by_label("What it rests on").fill("another person answers for the holder")
    ana.click("button", "Mark", ana.page.locator("dialog"))
    expect(ana.page.locator(".title")).to_contain_text("may be a victim")
    assert any(
        each["role"] == "possible_victim" for each in site.get("Ana", f"/v1/cases/{case_id}")["parties"]
    )


def test_by_keyboard_alone(browser: Browser, site: Site) -> None:
    with desk_of(browser, site) as desk:
        page = desk.page
        page.goto(f"{site.url}/console")
        page.get_by_label("API key").wait_for()
        page.keyboard.type(site.keys["Ana"])
        page.keyboard.press("Enter")
        desk.shown()
        assert page.evaluate("document.activeElement.id") == "main"
        ids = page.eval_on_selector_all("tr[data-alert]", "all => all.map((each) => each.dataset.alert)")
        for key, at in (("j", 0), ("j", 1), ("j", 2), ("k", 1)):
            page.keyboard.press(key)
            assert page.evaluate("document.activeElement.dataset.alert") == ids[at]
        page.keyboard.press("x")
        expect(page.get_by_text("1 alert chosen")).to_be_visible()
        page.keyboard.press("Enter")
        expect(page.get_by_role("heading", name="Why it fired")).to_be_visible()
        assert page.evaluate("location.hash") == f"#/alert/{ids[1]}"
        desk.shown()
        page.keyboard.press("?")
        expect(page.get_by_role("dialog")).to_contain_text("Open case")
        page.get_by_label("Single keys do something").uncheck()
        page.keyboard.press("Escape")
        page.keyboard.press("c")  # nothing: single keys are off
        assert page.get_by_role("dialog").count() == 0
        page.keyboard.press("?")
        page.get_by_label("Single keys do something").check()
        page.keyboard.press("Escape")
        page.keyboard.press("/")
        page.keyboard.type("nothing of this name")
        page.keyboard.press("Enter")
        expect(page.get_by_role("button", name="Say a purpose and search")).to_be_visible()
        page.locator("body").press("Tab")
        page.evaluate("document.activeElement.blur(); document.getElementById('skip').focus()")
        page.keyboard.press("Enter")
        assert page.evaluate("document.activeElement.id") == "main"


def test_filters_say_what_is_shown(browser: Browser, site: Site) -> None:
    with desk_of(browser, site) as desk:
        page = desk.page
        desk.enter("Ana")
        waiting = site.get("Ana", "/v1/queue?limit=1")["counts"]
        tile = page.get_by_role("button", name="critical")
        expect(tile).to_contain_text(str(waiting["severity"]["critical"]))
        tile.click()
        expect(tile).to_have_attribute("aria-pressed", "true")
        expect(page.locator(".end")).to_have_text(re.compile(rf"^{waiting['severity']['critical']} of "))
        page.get_by_label("Victims").select_option("true")
        protected = site.alerts(200, severity="critical", protect="true")
        expect(page.locator(".end")).to_have_text(f"{len(protected)} shown")
        shown = page.eval_on_selector_all("tr[data-alert]", "all => all.map((each) => each.dataset.alert)")
        assert shown == [each["alert_id"] for each in protected]
        page.get_by_label("Put off").select_option("true")
        expect(page.get_by_text("Nothing waits here.")).to_be_visible()


def test_what_was_put_off_and_given_away_is_told(browser: Browser, site: Site) -> None:
    with desk_of(browser, site) as desk:
        page = desk.page
        desk.enter("Ana")
        page.locator("tr[data-alert] input").last.check()
        page.get_by_role("button", name="Put off").click()
        page.get_by_role("dialog").get_by_role("textbox", name="Reason").fill("waits for the bank's answer")
        page.get_by_role("dialog").get_by_role("button", name="Put off").click()
        expect(page.get_by_text("1 alert done.")).to_be_visible()
        desk.shown()
        page.locator("tr[data-alert] input").last.check()
        page.get_by_role("button", name="Assign").click()
        page.get_by_role("dialog").get_by_label("To").select_option("Ben")
        page.get_by_role("dialog").get_by_role("textbox", name="Reason").fill("knows the region")
        page.get_by_role("dialog").get_by_role("button", name="Assign").click()
        expect(page.locator("tr[data-alert]").last.locator("td.whose")).to_have_text("Ben")
        assert site.get("Ana", "/v1/queue?snoozed=true")["items"]
