"""The whole service on its port: a token of the local issuer over a real socket, a long one too."""

from __future__ import annotations

import threading

import httpx
import pytest
from issuerkit import Issuer
from servicekit import WAIT_S, Bench, until

from txmon.cli import hosting
from txmon.cli.port import Port
from txmon.store.access import Access


def test_a_token_is_taken_at_the_port(bench: Bench, issuer: Issuer, monkeypatch: pytest.MonkeyPatch) -> None:
    service = bench.open(
        port=0, warehouse=False, oidc_issuer=issuer.url, oidc_audience="https://txmon", oidc_test_loopback=True,
        oidc_timeout_ms=30_000,
    )  # fmt: skip
    access = Access(service.store)
    ana, ben = service.change(lambda tx: access.bootstrap(tx, [("Ana", ["auditor"]), ("Ben", [])])).result(60)
    access.refresh()
    now = service.doors.clock.now_us()
    who, second = (access.authenticate(key.token, now) for key in (ana, ben))
    _, grant = service.change(
        lambda tx: access.propose_link(tx, who, who.person_id or "", issuer.url, "ana-1")
    ).result(60)
    service.change(lambda tx: access.decide_grant(tx, grant, second)).result(60)
    ports: list[Port] = []
    start = Port.start

    def started(port: Port) -> None:
        start(port)
        ports.append(port)

    monkeypatch.setattr(Port, "start", started)
    stop = threading.Event()
    running = threading.Thread(target=hosting.run, args=(service, stop), kwargs={"http": True})
    running.start()
    try:
        until(lambda: bool(ports))
        with httpx.Client(base_url=ports[0].address, timeout=WAIT_S, trust_env=False) as client:

            def ask(token: str) -> httpx.Response:
                return client.get("/v1/people", headers={"authorization": f"Bearer {token}"})

            issuer.user = "ana-1"
            assert ask(issuer.token("ec-1")).status_code == 200
            assert ask(issuer.token("ec-1", padding="x" * 9000)).status_code == 200
            for wrong in (issuer.token(padding="x" * 30_000), issuer.token(aud="x"), issuer.token(sub="ben")):
                assert ask(wrong).status_code == 401
            assert (
                client.get("/auth/me", headers={"authorization": f"Bearer {ana.token}"}).json()["name"]
                == "Ana"
            )
    finally:
        stop.set()
        running.join(WAIT_S)
    assert not running.is_alive()
