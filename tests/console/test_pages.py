"""Every page, light and dark, small and large: nothing is cut off, no rule of WCAG A or AA is broken, and the
pictures of the documentation are made of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from axe_playwright_python.base import AXE_SCRIPT
from consolekit import SIZES, Browser, Desk, Site, desk_of
from shots import keep

AXE_TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
# elements whose own text or parts are wider or higher than they are; what scrolls on purpose scrolls by keyboard
CLIPPED = """() => [...document.querySelectorAll('body *')].filter((each) => {
  const style = getComputedStyle(each);
  if (['none', 'inline', 'contents'].includes(style.display) || !each.clientWidth) return false;
  if (each.closest('.hidden, [hidden], svg, option, .skip, details:not([open]) > :not(summary)')) return false;
  const wide = each.scrollWidth > each.clientWidth + 1;
  const high = ['hidden', 'clip'].includes(style.overflowY) && each.scrollHeight > each.clientHeight + 1;
  return wide || high;
}).map((each) => `${each.tagName}.${each.className} ${each.scrollWidth}x${each.scrollHeight} in ${each.clientWidth}x${each.clientHeight}: ${each.textContent.slice(0, 60)}`)"""
UNHEARD = """() => [...document.querySelectorAll('a, button, input, select, textarea, [role=button]')]
  .filter((each) => each.checkVisibility() && each.tabIndex < 0).map((each) => each.outerHTML.slice(0, 120))"""


@pytest.fixture(scope="module")
def places(site: Site) -> dict[str, tuple[str, ...]]:
    """Pages by name: their addresses."""
    many = max(site.alerts(100), key=lambda each: len(each["rule_ids"]))
    steady = site.alerts(100, order="age")
    for each in steady:
        usual = site.get("Ana", f"/v1/alerts/{each['alert_id']}/usual")
        if usual["numbers"] and usual["numbers"][0]["low"] is not None:
            many = each
            break
    first = site.alerts(2, severity="high")
    case = site.case(
        *first, title="Rents in one street, and a title that goes on for as long as somebody may make it"
    )
    hidden = site.case(
        site.alerts(1, severity="medium")[0], title="Payouts", restriction="child_exploitation"
    )
    proposal = site.ask(
        "Ana", "PATCH", f"/v1/cases/{case}", {"severity": "low", "reason": "small"}, **{"if-match": '"v1"'}
    ).json()["proposal_id"]
    return {
        "queue": ("queue",), "alert": ("alert", many["alert_id"]), "cases": ("cases",), "case": ("case", case), "restricted": ("case", hidden),
        "inbox": ("inbox",), "proposal": ("proposal", proposal), "rules": ("rules",), "rule": ("rule", "service-price-inflows"),
        "quarantine": ("quarantine",), "row": ("row", "1"), "settings": ("settings",), "find": ("find", many["subject_id"]),
    }  # fmt: skip


def broken(desk: Desk) -> list[str]:
    """What axe finds: rule, how bad, where."""
    found: dict[str, Any] = desk.page.evaluate(
        "tags => axe.run(document, {runOnly: {type: 'tag', values: tags}, resultTypes: ['violations']})",
        AXE_TAGS,
    )
    return [
        f"{each['id']} ({each['impact']}): {node['target']} {node['failureSummary']}"
        for each in found["violations"]
        for node in each["nodes"]
    ]


def every(
    desk: Desk, places: dict[str, tuple[str, ...]], look: Callable[[str], list[str]]
) -> dict[str, list[str]]:
    """What a look finds on each page, where it finds something."""
    found = {}
    for name, parts in places.items():
        desk.go(*parts)
        desk.page.mouse.move(0, 0)
        faults = look(name)
        if name == "alert":
            for each in desk.page.locator("details").all():
                each.locator("summary").first.click()
            faults += look("")
        if faults:
            found[name] = faults
    return found


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_no_rule_of_accessibility_is_broken(
    browser: Browser, site: Site, places: dict[str, Any], dark: bool
) -> None:
    with desk_of(browser, site, dark=dark, bypass_csp=True) as desk:  # axe itself makes a style
        desk.page.add_init_script(AXE_SCRIPT)
        desk.page.goto(f"{site.url}/console")
        desk.page.get_by_label("API key").wait_for()
        assert broken(desk) == []
        desk.enter("Ana")
        assert every(desk, places, lambda _: broken(desk)) == {}
        desk.go("queue")
        desk.page.locator("tr[data-alert] input").first.check()
        desk.page.keyboard.press("c")
        assert broken(desk) == []
        desk.page.get_by_role("button", name="Cancel").click()
        desk.page.keyboard.press("?")
        assert broken(desk) == []
        desk.page.get_by_role("button", name="Close").click()
        desk.enter("Otto")
        desk.go("audit")
        assert broken(desk) == []


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_nothing_is_cut_off(
    browser: Browser, site: Site, places: dict[str, Any], size: str, dark: bool
) -> None:
    with desk_of(browser, site, SIZES[size], dark=dark) as desk:
        desk.enter("Otto")
        desk.go("audit")
        assert desk.page.evaluate(CLIPPED) == []
        desk.enter("Ana")

        def look(name: str) -> list[str]:
            if name and (not dark or name in ("queue", "alert")):
                keep(desk.page, f"{name}-{'dark-' if dark else ''}{size}.png")
            return list(desk.page.evaluate(CLIPPED)) + list(desk.page.evaluate(UNHEARD))

        assert every(desk, places, look) == {}
        assert desk.seen.faults == []
        assert desk.seen.foreign(site) == []
        assert desk.seen.unlisted() == []


def test_enlarged_to_twice_its_size_it_fits_without_scrolling_sideways(
    browser: Browser, site: Site, places: dict[str, Any]
) -> None:
    with desk_of(browser, site, (640, 400), device_scale_factor=2) as desk:
        desk.enter("Ana")
        wider = "() => document.documentElement.scrollWidth > innerWidth ? [String(document.documentElement.scrollWidth)] : []"
        assert every(desk, places, lambda _: list(desk.page.evaluate(wider))) == {}


def test_every_button_that_calls_names_a_route_of_the_table(
    browser: Browser, site: Site, places: dict[str, Any]
) -> None:
    from txmon.api.table import BY_NAME

    with desk_of(browser, site) as desk:
        desk.enter("Ana")
        named: set[str] = set()

        def look(_: str) -> list[str]:
            named.update(
                desk.page.eval_on_selector_all("[data-call]", "all => all.map((each) => each.dataset.call)")
            )
            return []

        every(desk, places, look)
        assert len(named) > 15
        assert named <= BY_NAME.keys()


def test_motion_is_left_out_where_it_is_not_wanted(browser: Browser, site: Site) -> None:
    with desk_of(browser, site) as desk:
        desk.enter("Ana")
        moving = "() => [...document.querySelectorAll('*')].filter((each) => { const s = getComputedStyle(each); return s.transitionDuration !== '0s' || s.animationName !== 'none' }).length"
        assert desk.page.evaluate(moving) == 0
