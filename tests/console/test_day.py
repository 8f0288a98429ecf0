"""An analyst's whole day in one run, as a person lives it: through the pages alone."""

from __future__ import annotations

import re
from typing import Any

from consolekit import Browser, Desk, Site, desk_of
from playwright.sync_api import expect

REASON = "both accounts pay the same people abroad"


def dialog(desk: Desk) -> Any:
    return desk.page.locator("dialog[open]")


def test_a_day(browser: Browser, site: Site) -> None:
    with desk_of(browser, site) as ana, desk_of(browser, site) as ben:
        case_id, alert_id = morning(ana, site)
        parties(ana, case_id)
        lowered(ana, ben, case_id, site)
        dismissed(ana, ben, site)
        quarantine(ana, ben)
        evening(ana, case_id)
        for desk in (ana, ben):
            assert desk.seen.faults == []
            assert desk.seen.foreign(site) == []
            assert desk.seen.unlisted() == []
        assert site.get("Ana", f"/v1/alerts/{alert_id}")["state"] == "escalated"


def morning(ana: Desk, site: Site) -> tuple[str, str]:
    """Sign in, look at the gravest, take it up, open a case of two."""
    page = ana.page
    ana.enter("Ana")
    assert ana.heading() == "Queue"
    first, second = (page.locator("tr[data-alert]").nth(n).get_attribute("data-alert") for n in (0, 1))
    page.locator("tr[data-alert]").first.locator("a").click()
    expect(page.get_by_role("heading", name="Why it fired")).to_be_visible()
    expect(page.get_by_role("heading", name="Numbers against the usual range")).to_be_visible()
    page.get_by_role("button", name="Take up").click()
    expect(page.get_by_text("1 alert done.")).to_be_visible()
    expect(page.get_by_role("button", name="Dismiss")).to_be_visible()
    ana.go("queue")
    for alert in (first, second):
        page.locator(f"tr[data-alert='{alert}'] input").check()
    page.get_by_role("button", name="Open case").click()
    dialog(ana).get_by_label("Title").fill("Small transfers into one corridor")
    dialog(ana).get_by_label("Why these belong together").fill(REASON)
    dialog(ana).get_by_role("button", name="Open case").click()
    expect(page.get_by_role("heading", name="Small transfers into one corridor")).to_be_visible()
    ana.shown()
    case_id = page.evaluate("location.hash").rpartition("/")[2]
    assert sorted(site.get("Ana", f"/v1/cases/{case_id}")["alerts"]) == sorted([first, second])
    return case_id, str(first)


def parties(ana: Desk, case_id: str) -> None:
    """Comment, investigate, answer a sign, mark somebody as a possible victim."""
    page = ana.page
    page.keyboard.press("m")
    dialog(ana).get_by_label("Text").fill("asked the branch for the opening documents <b>today</b>")
    page.keyboard.press("Control+Enter")
    expect(page.get_by_text("asked the branch for the opening documents <b>today</b>").first).to_be_visible()
    page.get_by_role("button", name="Investigate").click()
    dialog(ana).get_by_role("textbox", name="Reason").fill("documents requested")
    dialog(ana).get_by_role("button", name="Move").click()
    expect(page.locator(".title .badge").first).to_have_text("Investigating")
    page.get_by_role("button", name="Answer the checklist").click()
    dialog(ana).get_by_label("Somebody else speaks for the person").select_option("seen")
    dialog(ana).get_by_label("Who saw it").fill("the cashier")
    dialog(ana).get_by_role("button", name="Save").click()
    expect(page.locator("aside").get_by_text("Somebody else speaks for the person")).to_be_visible()
    page.get_by_role("button", name="Possible victim").first.click()
    dialog(ana).get_by_label("What it rests on").fill("comes in with another person who answers")
    dialog(ana).get_by_role("button", name="Mark").click()
    # the case may have protected somebody before, so the mark itself is looked for
    expect(page.get_by_role("cell", name="comes in with another person who answers").first).to_be_visible()
    expect(page.locator(".title").get_by_text("Somebody may be a victim")).to_be_visible()
    page.get_by_role("button", name="Attach").click()
    dialog(ana).get_by_label("File").set_input_files(
        {"name": "letter.txt", "mimeType": "text/plain", "buffer": b"opening documents"}
    )
    dialog(ana).get_by_role("button", name="Attach").click()
    expect(page.locator("aside").get_by_text("letter.txt")).to_be_visible()
    with page.expect_download() as saved:
        page.get_by_role("button", name="Save").click()
    assert saved.value.path().read_bytes() == b"opening documents"
    page.get_by_role("button", name="Attach").click()
    dialog(ana).get_by_label("File").set_input_files(
        {"name": "letter.txt", "mimeType": "text/plain", "buffer": b"\x89PNG\r\n\x1a\n" + bytes(90)}
    )
    dialog(ana).get_by_role("button", name="Attach").click()
    expect(dialog(ana).get_by_role("alert")).to_contain_text(re.compile("image|report", re.IGNORECASE))
    dialog(ana).get_by_role("button", name="Cancel").click()


def lowered(ana: Desk, ben: Desk, case_id: str, site: Site) -> None:
    """What takes two: Ana proposes and cannot approve, Ben can."""
    page = ana.page
    page.get_by_role("button", name="Change", exact=False).filter(
        has_text="Change"
    ).first.scroll_into_view_if_needed()
    page.keyboard.press("h")
    dialog(ana).get_by_label("What").select_option("severity")
    dialog(ana).get_by_role("button", name="Next").click()
    dialog(ana).get_by_label("Severity").select_option("high")
    dialog(ana).get_by_role("textbox", name="Reason").fill("the amounts are small")
    dialog(ana).get_by_role("button", name="Change").click()
    page.get_by_role("link", name="The proposal").click()
    expect(page.get_by_text("Another person decides.")).to_be_visible()
    assert page.get_by_role("button", name="Approve").count() == 0
    ben.enter("Ben", "second look")
    ben.page.keyboard.press("g")
    ben.page.keyboard.press("i")
    ben.page.locator("tr", has_text=case_id).get_by_role("link", name="Severity lowering").click()
    ben.page.get_by_role("button", name="Approve").click()
    dialog(ben).get_by_label("What you looked at").fill("the sums of the case")
    dialog(ben).get_by_role("button", name="Approve").click()
    expect(ben.page).to_have_url(re.compile("#/inbox$"))  # what other tests proposed may wait there
    expect(ben.page.get_by_role("heading", name="Four eyes")).to_be_visible()
    expect(ben.page.locator("tr", has_text=case_id)).to_have_count(0)
    assert site.get("Ana", f"/v1/cases/{case_id}")["severity"] == "high"


def dismissed(ana: Desk, ben: Desk, site: Site) -> None:
    """A critical alert is dismissed by two people; what changed meanwhile is told."""
    page = ana.page
    ana.go("queue")
    alert = page.locator("tr[data-alert]").first.get_attribute("data-alert")
    ana.go("alert", str(alert))
    page.keyboard.press("t")
    expect(page.get_by_role("button", name="Dismiss")).to_be_visible()
    version = site.get("Ana", f"/v1/alerts/{alert}")["version"]
    site.ask(
        "Ana",
        "POST",
        "/v1/queue:work",
        {
            "alerts": [{"alert_id": alert, "version": version}],
            "action": "assign",
            "person_id": site.people["Ben"],
            "reason": "x",
        },
    )
    page.keyboard.press("d")
    dialog(ana).get_by_role("textbox", name="Reason").fill("contract seen")
    dialog(ana).get_by_role("button", name="Propose to dismiss").click()
    expect(dialog(ana).get_by_role("alert")).to_contain_text("version")
    dialog(ana).get_by_role("button", name="Cancel").click()
    page.reload()
    ana.enter("Ana")  # a key is in memory alone: the reload forgot it
    ana.go("alert", str(alert))
    page.keyboard.press("d")
    dialog(ana).get_by_role("textbox", name="Reason").fill("contract seen")
    dialog(ana).get_by_role("button", name="Propose to dismiss").click()
    expect(dialog(ana)).to_have_count(0)
    ben.go("inbox")
    ben.page.get_by_role("link", name="Alert dismissal").click()
    ben.page.get_by_role("button", name="Approve").click()
    dialog(ben).get_by_label("What you looked at").fill("contract seen, too")
    dialog(ben).get_by_role("button", name="Approve").click()
    expect(dialog(ben)).to_have_count(0)
    assert site.get("Ana", f"/v1/alerts/{alert}")["state"] == "dismissed"


def quarantine(ana: Desk, ben: Desk) -> None:
    """A row that is no event: read as it came, corrected by two."""
    page = ana.page
    ana.go("quarantine")
    page.get_by_role("link", name=re.compile("native")).last.click()
    expect(page.get_by_text('"amount":"much"')).to_be_visible()
    page.get_by_role("button", name="Correct").click()
    fixed = (
        '{"event_id": "bad-0", "event_time": "2026-01-05T12:00:00Z", "amount": "10.00", "currency": "EUR"}'
    )
    dialog(ana).get_by_label("As it should have come").fill(fixed)
    dialog(ana).get_by_role("textbox", name="Reason").fill("the source confirmed ten euros")
    dialog(ana).get_by_role("button", name="Propose").click()
    expect(dialog(ana)).to_have_count(0)
    ben.go("inbox")
    ben.page.get_by_role("link", name="Quarantine fix").click()
    expect(ben.page.get_by_text("the source confirmed ten euros")).to_be_visible()
    ben.page.keyboard.press("y")
    dialog(ben).get_by_role("button", name="Approve").click()
    expect(ben.page.get_by_text(re.compile("Approved: (fixed|open)"))).to_be_visible()


def evening(ana: Desk, case_id: str) -> None:
    """Facts known, the picture of the case, out."""
    page = ana.page
    ana.go("case", case_id)
    page.keyboard.press("f")
    dialog(ana).get_by_role("textbox", name="Reason").fill("documents came")
    dialog(ana).get_by_role("button", name="Record").click()
    expect(page.get_by_text("says Ana (me)")).to_be_visible()
    page.locator(".network [data-node]").first.focus()
    page.keyboard.press("Enter")
    expect(page.locator(".network [aria-pressed=true]")).to_have_count(1)
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_label("API key")).to_be_visible()
    page.locator("h1").click()
    page.keyboard.press("p")  # nothing of the session is left, its shortcuts neither
    assert page.get_by_role("dialog").count() == 0
    assert page.evaluate("Object.keys(localStorage).length + Object.keys(sessionStorage).length") == 0
