"""A console to look at: a real service with simulated events, people with keys, and a real Chromium.

Whatever a page asks for is written down, so that a test can say that nothing went to another host and that
every call is one of the API's table.
"""

from __future__ import annotations

import json
import re
import shutil
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx

sys.path += [str(Path(__file__).parents[1] / name) for name in ("operate", "service", "api", "oidc", "cases")]

from operatekit import Served, open_store
from playwright.sync_api import Browser, Page, Playwright, Request, expect, sync_playwright

from txmon.api.table import TABLE
from txmon.cli.port import Port
from txmon.pipeline.housekeeping import Housekeeping
from txmon.pipeline.service import Service
from txmon.store.access import Access, KeySpec

PEOPLE = {"Ana": ("analyst",), "Ben": ("approver",), "Sara": ("safeguarding",), "Otto": ("auditor",)}
WAIT_MS = 60_000  # how long a test waits for what must come: never a measure, only an end
expect.set_options(timeout=WAIT_MS)
WHY = "daily work on the queue"
SIZES = {"1280": (1280, 800), "1920": (1920, 1080)}
_ROUTES = [(entry.method, re.compile(re.sub(r"\{\w+\}", "[^/]+", entry.path))) for entry in TABLE]


def chromium() -> str | None:
    """The system's Chromium, or None."""
    return next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


@dataclass
class Site:
    """A running service. keys, people: by name."""

    url: str
    keys: Mapping[str, str]
    people: Mapping[str, str]
    place: Path

    def ask(self, name: str, method: str, path: str, body: Any = None, **headers: str) -> httpx.Response:
        given = {"authorization": f"Bearer {self.keys[name]}", "x-purpose": WHY} | headers
        with httpx.Client(base_url=self.url, timeout=60, trust_env=False) as http:
            return http.request(method, path, json=body, headers=given)

    def get(self, name: str, path: str) -> Any:
        answer = self.ask(name, "GET", path)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def case(self, *alerts: Mapping[str, Any], title: str = "Rents in one street", **more: Any) -> str:
        """A case that Ana opens."""
        seen = [{"alert_id": each["alert_id"], "version": each["version"]} for each in alerts]
        answer = self.ask(
            "Ana", "POST", "/v1/cases", {"alerts": seen, "title": title, "reason": "same payee"} | more
        )
        assert answer.status_code == 201, answer.text
        return str(answer.json()["case_id"])

    def alerts(self, count: int, **query: str) -> list[dict[str, Any]]:
        """The first alerts of the queue."""
        asked = "&".join(f"{k}={v}" for k, v in query.items())
        found: list[dict[str, Any]] = self.get("Ana", f"/v1/queue?limit={count}&{asked}")["items"]
        return found


def hire(place: Path) -> tuple[dict[str, str], dict[str, str], str]:
    """Make people with keys and the key of a pipeline; returns keys and person ids by name, and that key."""
    with open_store(place) as store:
        access = Access(store)
        with store.write() as tx:
            made = access.bootstrap(tx, [(name, list(roles)) for name, roles in PEOPLE.items()])
        now = store.clock.now_us()
        ana, ben = (access.authenticate(each.token, now) for each in made[:2])
        with store.write() as tx:
            spec = KeySpec("gateway", frozenset({"ingest"}), None, frozenset({"ingest"}))
            key = access.create_key(tx, ana, spec)
            assert key.grant_id is not None
            access.decide_grant(tx, key.grant_id, ben)
        who = [access.authenticate(each.token, now) for each in made]
    keys = dict(zip(PEOPLE, (each.token for each in made), strict=True))
    return keys, dict(zip(PEOPLE, (str(each.person_id) for each in who), strict=True)), key.token


def site_of(served: Served, place: Path, keys: Mapping[str, str], people: Mapping[str, str]) -> Site:
    return Site(f"http://127.0.0.1:{served.port}", keys, people, place)


@contextmanager
def hosted(service: Service) -> Iterator[str]:
    """A service of the test's own process behind its port, as `txmon serve` runs it; yields its address."""
    port = Port(service)
    port.start()
    housekeeping = Housekeeping(service, port.chores)
    housekeeping.start()
    try:
        yield port.address
    finally:
        housekeeping.stop()
        port.stop()
        service.close()


@dataclass
class Seen:
    """What a page asked for, what it said, and what went wrong in it."""

    requests: list[Request] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    def foreign(self, site: Site) -> list[str]:
        """Requests to any other host."""
        own = urlsplit(site.url).netloc
        return [
            r.url
            for r in self.requests
            if urlsplit(r.url).scheme not in ("data", "blob") and urlsplit(r.url).netloc != own
        ]

    def unlisted(self) -> list[str]:
        """Calls that are not in the API's table; the vault answers to nobody but its own people."""
        calls = [(r.method, urlsplit(r.url).path) for r in self.requests if r.url.startswith("http")]
        return [f"{m} {p}" for m, p in calls if not listed(m, p) and not p.startswith("/v1/vault")]


def listed(method: str, path: str) -> bool:
    """Whether a call is of the API's table."""
    return any(method == each and pattern.fullmatch(path) for each, pattern in _ROUTES)


class Desk:
    """A page of a browser, and somebody in front of it."""

    def __init__(self, page: Page, site: Site, seen: Seen) -> None:
        self.page, self.site, self.seen = page, site, seen
        self.clicks = 0

    def enter(self, name: str, purpose: str = WHY) -> None:
        """Sign in by key."""
        self.page.goto(f"{self.site.url}/console")
        self.page.get_by_label("API key").fill(self.site.keys[name])
        self.page.get_by_label("Purpose of this session").fill(purpose)
        self.page.get_by_role("button", name="Sign in").click()
        self.shown()

    def go(self, *parts: str) -> None:
        """Go to a page of the console by its address."""
        self.page.evaluate(
            "to => { if (location.hash === to) dispatchEvent(new HashChangeEvent('hashchange')); else location.hash = to }",
            "#/" + "/".join(parts),
        )
        self.shown()

    def shown(self) -> None:
        """Wait until a page with a heading is there and nothing is under way."""
        self.page.wait_for_function(
            "() => { const main = document.querySelector('main[aria-busy=false] h1')?.closest('main');"
            " return main && main.dataset.page === location.hash }"
        )

    def click(self, role: str, name: str | re.Pattern[str], within: Any = None) -> None:
        """One click, counted."""
        (within or self.page).get_by_role(role, name=name).first.click()
        self.clicks += 1

    def heading(self) -> str:
        return str(self.page.locator("main h1").inner_text())


@contextmanager
def browsing(playwright: Playwright | None = None) -> Iterator[Browser]:
    """A real headless Chromium of the system."""
    with sync_playwright() as started:
        browser = (playwright or started).chromium.launch(
            executable_path=chromium(),
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
        )
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def desk_of(
    browser: Browser, site: Site, size: tuple[int, int] = SIZES["1280"], *, dark: bool = False, **more: Any
) -> Iterator[Desk]:
    """A page of its own, without anything of another."""
    context = browser.new_context(
        viewport={"width": size[0], "height": size[1]}, color_scheme="dark" if dark else "light",
        timezone_id="UTC", locale="en-GB", reduced_motion="reduce", **more,
    )  # fmt: skip
    page = context.new_page()
    page.set_default_timeout(WAIT_MS)
    seen = Seen()
    page.on("request", lambda request: seen.requests.append(request))
    page.on("pageerror", lambda error: seen.faults.append(str(error)))
    page.on(
        "console",
        lambda said: (
            said.type == "error"
            and "Failed to load resource" not in said.text
            and seen.faults.append(said.text)
        ),
    )
    try:
        yield Desk(page, site, seen)
    finally:
        context.close()


def lines_of(rows: list[dict[str, Any]]) -> list[bytes]:
    return [json.dumps(row, default=str).encode() for row in rows]
