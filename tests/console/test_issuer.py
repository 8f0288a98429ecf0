"""Signing in at the issuer that the operator has set, in a real browser: a cookie that no script can read."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from consolekit import Browser, Desk, Site, desk_of, hosted
from playwright.sync_api import expect

from txmon.store.access import Access


@pytest.fixture
def desk(browser: Browser, tmp_path: Path) -> Iterator[Desk]:
    from issuerkit import Issuer, serving, usual_keys
    from placekit import GROUPS

    from apikit import CRITICAL  # isort: skip
    from servicekit import Bench, pay, send, simple_rules  # isort: skip

    bench = Bench(tmp_path, simple_rules(tmp_path, CRITICAL), str(tmp_path / "store"))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        number = int(probe.getsockname()[1])
    groups, secret = tmp_path / "groups.toml", tmp_path / "client.secret"
    groups.write_text(GROUPS)
    url = f"http://localhost:{number}"
    with serving(Issuer(lambda: bench.clock.now_us() // 1_000_000, keys=usual_keys())) as issuer:
        secret.write_text(issuer.secret or "")
        secret.chmod(0o600)
        service = bench.open(
            host="localhost", port=number, oidc_issuer=issuer.url, oidc_groups=groups, oidc_client_id="txmon-web",
            oidc_client_secret_file=secret, oidc_redirect_url=f"{url}/auth/callback", oidc_test_loopback=True,
        )  # fmt: skip
        access = Access(service.store)
        made = service.change(
            lambda tx: access.bootstrap(tx, [("Ana", ["analyst"]), ("Ben", ["approver"])])
        ).result(60)
        access.refresh()
        ana, ben = (access.authenticate(each.token, bench.clock.now_us()) for each in made)
        _, grant = service.change(
            lambda tx: access.propose_link(tx, ana, str(ana.person_id), issuer.url, "ana-1")
        ).result(60)
        service.change(lambda tx: access.decide_grant(tx, grant, ben)).result(60)
        send(service, [pay("p-1", amount="950.00", payee="q")])
        issuer.user, issuer.claims = "ana-1", {"groups": ["all of it"]}
        site = Site(url, {"Ana": made[0].token}, {"Ana": str(ana.person_id)}, tmp_path)
        with hosted(service), desk_of(browser, site) as found:
            yield found


def test_a_session_works_and_ends(desk: Desk) -> None:
    page = desk.page
    page.goto(f"{desk.site.url}/console")
    page.get_by_role("link", name="Sign in at your organisation").click()
    desk.shown()
    assert page.url.startswith(f"{desk.site.url}/console")
    (cookie,) = [each for each in page.context.cookies() if "session" in each["name"]]
    assert (cookie["httpOnly"], cookie["secure"], cookie["sameSite"]) == (True, True, "Lax")
    assert page.evaluate("document.cookie") == ""
    page.reload()  # the session is still there: nothing is pasted again
    desk.shown()
    assert desk.heading() == "Queue"
    page.locator("tr[data-alert] input").check()
    page.get_by_role("button", name="Take up").click()  # a change, so with the session's own token
    expect(page.get_by_text("1 alert done.")).to_be_visible()
    assert not any(r.headers.get("authorization") for r in desk.seen.requests)
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("link", name="Sign in at your organisation")).to_be_visible()
    page.reload()
    expect(page.get_by_role("link", name="Sign in at your organisation")).to_be_visible()
    assert desk.seen.faults == []
