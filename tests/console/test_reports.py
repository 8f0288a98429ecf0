"""A report from its draft to its release, by two people, in a real browser; nobody else sees that there is any."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from consolekit import Browser, Desk, Site, desk_of, hosted
from playwright.sync_api import expect
from shots import keep

from txmon.store.access import Access

pytest.importorskip("txmon.vault", reason="there is no vault of reports in this version")
sys.path.append(str(Path(__file__).parents[1] / "vault"))


@pytest.fixture(scope="module")
def site(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A service with a vault, in which Ana is MLRO and Ben releases; Cem is an analyst and nothing there."""
    from apikit import CRITICAL  # isort: skip
    from servicekit import Bench, pay, send, simple_rules  # isort: skip
    from vaultkit import drafted

    from txmon.cli import port
    from txmon.vault import Vault

    folder = tmp_path_factory.mktemp("vault")
    bench = Bench(folder, simple_rules(folder, CRITICAL), str(folder / "store"))
    keys = folder / "vault.key", folder / "backup.key"
    service = bench.open(port=0, vault_file=folder / "v" / "vault.db", vault_key_file=keys[0])
    access = Access(service.store)
    names = {"Ana": ["analyst"], "Ben": ["approver"], "Cem": ["analyst"]}
    made = service.change(lambda tx: access.bootstrap(tx, list(names.items()))).result(60)
    access.refresh()
    people = [str(access.authenticate(each.token, bench.clock.now_us()).person_id) for each in made]
    Vault.make(
        folder / "v" / "vault.db", *keys, (people[0], people[1]), clock=bench.clock, random_bytes=service.store.random_bytes
    ).close()  # fmt: skip
    send(service, [pay(f"p-{n}", amount="950.00", payer=f"acct-{n}", payee="q") for n in range(2)])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(port, "create_app", partial(port.create_app, drafter=drafted))
        with hosted(service) as url:
            tokens = [each.token for each in made]
            yield Site(
                url, dict(zip(names, tokens, strict=True)), dict(zip(names, people, strict=True)), folder
            )


def dialog(desk: Desk) -> Any:
    return desk.page.locator("dialog[open]")


def step(desk: Desk, button: str, done: str, **fields: str) -> None:
    """Press a button of the page, fill in, press that of the dialog."""
    desk.page.get_by_role("button", name=button, exact=True).click()
    for label, text in fields.items():
        dialog(desk).get_by_role("textbox", name=label).fill(text)
    dialog(desk).get_by_role("button", name=done, exact=True).click()


def test_from_a_case_to_a_released_report(browser: Browser, site: Site) -> None:
    case_id = site.case(*site.alerts(2), title="Two payers, one payee")
    with desk_of(browser, site) as ana, desk_of(browser, site) as ben, desk_of(browser, site) as cem:
        for desk, name in ((ana, "Ana"), (ben, "Ben"), (cem, "Cem")):
            desk.enter(name)
        page = ana.page
        ana.go("case", case_id)
        page.get_by_role("button", name="Make a report").click()
        dialog(ana).get_by_role("button", name="Draft").click()
        expect(page.locator("h1")).to_contain_text("Report")
        expect(page.get_by_text("In the way of a release: 1 error.")).to_be_visible()  # nobody has signed it
        ana.shown()
        report = page.evaluate("location.hash").rpartition("/")[2]
        currency, words = page.locator("#m-local-currency"), page.locator("#m-narrative-paragraphs-0-text")
        was = currency.input_value()
        currency.fill("AEX")
        expect(currency).to_have_attribute("aria-invalid", "true")  # while one types
        expect(page.locator("#m-local-currency-found")).to_contain_text("is no currency")
        keep(page, "report-1280.png")
        page.locator(".findings button", has_text="local_currency").first.click()
        assert page.evaluate("document.activeElement.id") == "m-local-currency"
        currency.fill(was)
        expect(currency).not_to_have_attribute("aria-invalid", "true")
        words.fill(words.input_value() + " Both were asked for papers.")
        page.get_by_role("button", name="Save", exact=True).click()
        expect(page.get_by_text("Saved.")).to_be_visible()
        step(ana, "Sign", "Sign")
        expect(page.get_by_text("Nothing stands in the way.")).to_be_visible()
        step(ana, "Submit", "Submit")
        expect(page.locator(".title .badge").first).to_have_text("Pending release")
        assert page.get_by_role("button", name="Release").count() == 0  # she drafted it

        ben.go("reports")
        ben.clicks = 0
        ben.click("link", report)
        ben.click("button", "Release")
        ben.click("button", "Release", dialog(ben))
        expect(ben.page.locator(".title .badge").first).to_have_text("Released")
        assert ben.clicks <= 3
        with ben.page.expect_download() as saved:
            ben.page.get_by_role("button", name="Save").click()
        assert saved.value.path().read_bytes().startswith(b"<?xml")
        assert ben.page.locator("textarea:enabled").count() == 0  # what was submitted is not edited

        assert cem.page.get_by_role("link", name="Reports").count() == 0
        cem.go("report", report)
        expect(cem.page.get_by_role("heading", name="This cannot be shown")).to_be_visible()
        for desk in (ana, ben, cem):
            assert desk.seen.faults == []
            assert desk.seen.foreign(site) == []


def test_a_report_is_heard_and_seen(browser: Browser, site: Site) -> None:
    from axe_playwright_python.base import AXE_SCRIPT
    from test_pages import CLIPPED, broken

    case_id = site.case(*site.alerts(1), title="One payer") if site.alerts(1) else ""
    cases = site.get("Ana", "/v1/cases")["items"]
    made = site.ask(
        "Ana",
        "POST",
        "/v1/vault/reports",
        {"case_id": case_id or cases[0]["case_id"], "formats": ["goaml", "fincen"]},
    )
    assert made.status_code == 201, made.text
    for dark in (False, True):
        with desk_of(browser, site, dark=dark, bypass_csp=True) as desk:
            desk.page.add_init_script(AXE_SCRIPT)
            desk.enter("Ana")
            for parts in (("reports",), ("report", made.json()["report_id"])):
                desk.go(*parts)
                expect(desk.page.locator("main")).to_contain_text(re.compile("report", re.IGNORECASE))
                desk.page.wait_for_timeout(300)
                for each in desk.page.locator("main details").all()[:6]:
                    each.locator("summary").first.click()
                assert broken(desk) == []
                assert desk.page.evaluate(CLIPPED) == []
