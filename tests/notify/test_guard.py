"""Nothing behind our own firewall can be reached by a webhook, however it is written or resolved."""

from __future__ import annotations

import ipaddress
import random
import socket
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hookserver import certificate, receiver
from txkit import START_US

from txmon.notify.deliver import Deliverer, Limits
from txmon.notify.guard import Blocked, check_url, require_public, vetted

PUBLIC = "93.184.216.34"

HOSTILE_FORMS = [
    # schemes
    "http://hooks.example.com/", "HTTP://hooks.example.com/", "ftp://hooks.example.com/", "file:///etc/passwd",
    "gopher://hooks.example.com:70/", "javascript:alert(1)", "//hooks.example.com/", "hooks.example.com", "https:hooks.example.com",
    "https:/hooks.example.com/", "https:///hooks.example.com/", "https://", "", " https://hooks.example.com/",
    # this machine, in every spelling
    "https://localhost/", "https://LOCALHOST/", "https://localhost./", "https://x.localhost/", "https://127.0.0.1/", "https://127.1/", "https://127.0.1/",
    "https://2130706433/", "https://017700000001/", "https://0177.0.0.1/", "https://0x7f000001/", "https://0x7f.0.0.1/", "https://0x7f.1/",
    "https://127.000.000.001/", "https://127.0.0.1./", "https://0/", "https://0.0.0.0/", "https://[::1]/", "https://[::]/", "https://[0:0:0:0:0:0:0:1]/",
    "https://[::ffff:127.0.0.1]/", "https://[::ffff:7f00:1]/", "https://[::127.0.0.1]/", "https://[64:ff9b::7f00:1]/", "https://[64:ff9b:1::7f00:1]/",
    "https://[2002:7f00:1::]/", "https://[2001:0:7f00:1::]/", "https://[::1%25lo]/", "https://[fe80::1%25eth0]/", "https://127.0.0.1.%6eip.io:99999/",
    "https://%31%32%37.0.0.1/", "https://127%2e0.0.1/", "https://\uff11\uff12\uff17.0.0.1/", "https://127\u30020.0.1/", "https://\u24dbocalhost/",
    # inside
    "https://10.0.0.1/", "https://172.16.5.5/", "https://172.31.255.255/", "https://192.168.1.1/", "https://100.64.0.1/", "https://169.254.169.254/latest/meta-data/",
    "https://[fd00:ec2::254]/", "https://[fc00::1]/", "https://[fe80::1]/", "https://[fec0::1]/", "https://168.63.129.16/", "https://192.0.0.192/",
    "https://198.18.0.1/", "https://192.0.2.7/", "https://203.0.113.9/", "https://224.0.0.1/", "https://255.255.255.255/", "https://240.1.1.1/", "https://[ff02::1]/",
    "https://[2001:db8::1]/", "https://[100::1]/", "https://metadata.google.internal/", "https://intranet/", "https://db.corp/", "https://printer.local/",
    "https://nas.home.arpa/", "https://vault.service.consul/", "https://api.default.svc.cluster.local/", "https://x.onion/",
    # tricks of the form
    "https://user:pass@hooks.example.com/", "https://hooks.example.com@127.0.0.1/", "https://127.0.0.1#@hooks.example.com/", "https://hooks.example.com\\@127.0.0.1/",
    "https://hooks.example.com:0/", "https://hooks.example.com:/", "https://hooks.example.com:22/", "https://hooks.example.com:65536/", "https://hooks.example.com:x/",
    "https://hooks.example.com/#f", "https://hooks.example.com/\r\nHost: inside", "https://hooks.example.com/a b", "https://hooks.example.com/\t", "https://hooks.exa\nmple.com/",
    "https://hooks..example.com/", "https://.example.com/", "https://-x.example.com/", "https://hooks.example.com./", "https://[127.0.0.1]/", "https://[::1/", "https://::1/",
    "https://[v1.fe80::a]/", "https://hooks.example.com/" + "x" * 3000, "https://1.2.3/", "https://1.2.3.4.5/", "https://93.184.216.34.0x1/", "https://4294967297/",
]  # fmt: skip


@pytest.mark.parametrize("url", HOSTILE_FORMS)
def test_a_hostile_form_is_refused(url: str) -> None:
    assert len(set(HOSTILE_FORMS)) == len(HOSTILE_FORMS) >= 100
    with pytest.raises(Blocked) as caught:
        check_url(url)
    assert caught.value.reason
    asked: list[str] = []
    reply = Deliverer(Limits(), FixedClock(), resolve=lambda host, _: asked.append(host) or [PUBLIC]).post(
        url, {}, b"x"
    )  # type: ignore[func-returns-value]
    assert (reply.outcome, reply.status, asked) == ("blocked", None, [])


@pytest.mark.parametrize(
    "url", ["https://hooks.example.com/", "https://hooks.example.com:8443/a?b=c", "https://xn--bcher-kva.example.com/", "https://a_b.example.com/",
            "https://93.184.216.34/x", "https://[2606:2800:220:1:248:1893:25c8:1946]/", "HTTPS://HOOKS.EXAMPLE.COM/"],
)  # fmt: skip
def test_a_public_url_may_be_asked_for(url: str) -> None:
    assert check_url(url).scheme == "https"


class FixedClock:
    def now_us(self) -> int:
        return START_US


PRIVATE = [
    "127.0.0.1", "10.1.2.3", "172.20.0.1", "192.168.0.1", "169.254.169.254", "100.100.100.200", "0.0.0.0", "168.63.129.16", "::1", "::", "fd00::1", "fe80::1",
    "fe80::1%eth0", "::ffff:10.0.0.1", "64:ff9b::a00:1", "2002:a00:1::", "2001:0:a00:1::", "ff02::1", "2001:db8::1", "255.255.255.255", "224.0.0.251", "not an address",
]  # fmt: skip


@pytest.mark.parametrize("address", PRIVATE)
def test_a_name_that_stands_for_an_inner_address_is_refused(address: str) -> None:
    target = check_url("https://hooks.example.com/")
    for answer in ([address], [PUBLIC, address], [address, PUBLIC]):
        with pytest.raises(Blocked):
            vetted(target, lambda *_, found=answer: found, 1)
        reply = Deliverer(Limits(), FixedClock(), resolve=lambda *_, found=answer: found).post(
            target.url, {}, b"x"
        )
        assert (reply.outcome, reply.error) == ("blocked", "address")


def test_only_global_unicast_is_public() -> None:
    """Against Python's own registry on random addresses: never more public than that, but for known holes of it."""
    rng = random.Random(11)
    for _ in range(20_000):
        for address in (
            ipaddress.IPv4Address(rng.getrandbits(32)),
            ipaddress.IPv6Address(rng.getrandbits(128)),
            ipaddress.IPv6Address((0x2 << 124) | rng.getrandbits(124)),
        ):
            try:
                require_public(address)
            except Blocked:
                continue
            assert address.is_global
            assert not address.is_multicast


def test_a_name_server_that_is_slow_or_silent_is_not_waited_for() -> None:
    release = threading.Event()

    def slow(_host: str, _port: int) -> Sequence[str]:
        release.wait(20)
        return [PUBLIC]

    reply = Deliverer(Limits(timeout_s=0.2), FixedClock(), resolve=slow).post(
        "https://hooks.example.com/", {}, b"x"
    )
    release.set()
    assert (reply.outcome, reply.error) == ("retry", "resolve_timeout")

    def none(_host: str, _port: int) -> Sequence[str]:
        raise socket.gaierror(socket.EAI_NONAME, "no such name")

    for resolve in (none, lambda *_: []):
        reply = Deliverer(Limits(), FixedClock(), resolve=resolve).post(
            "https://hooks.example.com/", {}, b"x"
        )
        assert (reply.outcome, reply.error) == ("retry", "resolve_failed")


def test_a_resolver_that_changes_its_answer_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first answer is public and vetted, every later one is this machine: only the first is connected to."""
    cert = certificate(tmp_path, "hooks.example.com")
    connected: list[tuple[str, int]] = []
    real, look_up = socket.create_connection, socket.getaddrinfo

    with receiver(cert.server) as public, receiver() as inside:

        def connect(address: tuple[str, int], *args: Any, **more: Any) -> socket.socket:
            """Stands for the network: the public address is the receiver, all others are what they are."""
            connected.append(address)
            return real(("127.0.0.1", public.port) if address[0] == PUBLIC else address, *args, **more)

        answers = iter([[PUBLIC]] + [["127.0.0.1"]] * 20)
        asked: list[str] = []

        def rebinding(host: str, _port: int) -> Sequence[str]:
            asked.append(host)
            return next(answers)

        def getaddrinfo(host: str, *args: Any, **more: Any) -> Any:
            ipaddress.ip_address(host)  # a name would be resolved behind the guard's back
            return look_up(host, *args, **more)

        monkeypatch.setattr(socket, "create_connection", connect)
        monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
        deliverer = Deliverer(Limits(), FixedClock(), resolve=rebinding, tls=cert.client)
        url = f"https://hooks.example.com:{inside.port}/hook?x=1"
        reply = deliverer.post(url, {"webhook-id": "msg_1"}, b"body")
        assert (reply.outcome, reply.status) == ("delivered", 204)
        assert connected == [(PUBLIC, inside.port)]
        assert asked == ["hooks.example.com"]
        assert public.state.sni == ["hooks.example.com"]
        assert [(r.path, r.headers["host"], r.body) for r in public.state.got] == [
            ("/hook?x=1", f"hooks.example.com:{inside.port}", b"body")
        ]
        for _ in range(5):  # the next deliveries look again, and refuse
            reply = deliverer.post(url, {}, b"body")
            assert (reply.outcome, reply.error) == ("blocked", "address")
        assert len(connected) == 1
        assert inside.state.got == []


def test_every_vetted_address_is_tried_those_of_ipv4_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cert = certificate(tmp_path, "hooks.example.com")
    v6, other = "2606:2800:220:1:248:1893:25c8:1946", "93.184.216.35"
    real, tried = socket.create_connection, list[str]()
    with receiver(cert.server) as server:

        def connect(address: tuple[str, int], *args: Any, **more: Any) -> socket.socket:
            tried.append(address[0])
            if address[0] != v6:
                raise ConnectionRefusedError
            return real(("127.0.0.1", server.port), *args, **more)

        monkeypatch.setattr(socket, "create_connection", connect)
        reply = Deliverer(
            Limits(), FixedClock(), resolve=lambda *_: [v6, PUBLIC, v6, other], tls=cert.client
        ).post("https://hooks.example.com/", {}, b"x")
        assert (reply.outcome, tried, len(server.state.got)) == ("delivered", [PUBLIC, other, v6], 1)
        tried.clear()
        reply = Deliverer(Limits(), FixedClock(), resolve=lambda *_: [PUBLIC, other], tls=cert.client).post(
            "https://hooks.example.com/", {}, b"x"
        )
        assert (reply.error, tried) == ("connect", [PUBLIC, other])


def test_a_certificate_of_another_name_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cert = certificate(tmp_path, "other.example.com")
    real = socket.create_connection
    with receiver(cert.server) as server:
        monkeypatch.setattr(
            socket, "create_connection", lambda _, *a, **k: real(("127.0.0.1", server.port), *a, **k)
        )
        reply = Deliverer(Limits(), FixedClock(), resolve=lambda *_: [PUBLIC], tls=cert.client).post(
            "https://hooks.example.com/", {}, b"x"
        )
        assert (reply.outcome, reply.error) == ("retry", "tls")
        assert server.state.got == []


def test_loopback_is_open_to_tests_only_and_nothing_else_then() -> None:
    with receiver() as server:
        open_to_tests = Deliverer(Limits(loopback=True), FixedClock())
        assert open_to_tests.post(server.url(), {}, b"x").outcome == "delivered"
        assert Deliverer(Limits(), FixedClock()).post(server.url(), {}, b"x").outcome == "blocked"
        for url in (
            "http://10.0.0.1/",
            "http://hooks.example.com/",
            "https://192.168.1.1/",
            "http://127.0.0.2/",
            "http://[::ffff:127.0.0.1]/",
        ):
            assert open_to_tests.post(url, {}, b"x").outcome == "blocked"
    reply = Deliverer(Limits(loopback=True), FixedClock(), resolve=lambda *_: ["10.0.0.1"]).post(
        "http://localhost:9/", {}, b"x"
    )
    assert (reply.outcome, reply.error) == ("blocked", "address")
