"""The store and what is around it, each real: SQLite, PostgreSQL, brokers, an issuer, receivers, a running service."""

from __future__ import annotations

import json
import os
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import pgkit
import pytest
import railkit
from brokerkit import running_broker
from doctorkit import Look, Place, made
from hookserver import certificate, receiver
from issuerkit import Issuer, serving, usual_keys
from txkit import START_US, write_pack

from txmon.cli import main
from txmon.doctor import CHECKS, reference
from txmon.notify import Wanted, endpoints
from txmon.notify.signing import load_master
from txmon.pipeline.config import read_config
from txmon.store import journal
from txmon.store.warehouse import Warehouse

ROOT = Path(__file__).parents[2]
NOWHERE = "127.0.0.1:9"  # nothing listens there
TXMON = [sys.executable, "-m", "txmon"]
LONG_S = 300.0  # for what must come; never a measure


RULE = {
    "id": "large", "typology": "other", "subject": "account", "severity": "low", "score": 0.5, "status": "live",
    "when": "amount > 100", "explain": "large",
}  # fmt: skip


def states(findings: Any) -> list[str]:
    return [finding.status for finding in findings]


@pytest.fixture
def database(tmp_path: Path) -> Place:
    return made(pgkit.fresh_database(), {"TXMON_STATE_DIR": str(tmp_path / "state")})


# -- the store -----------------------------------------------------------------------------------------


def test_there_is_no_store_or_it_is_no_store(look: Look, tmp_path: Path) -> None:
    [found] = look("store.opens", {"TXMON_STORE": str(tmp_path / "none")})
    assert (found.status, "bootstrap" in found.remedy) == ("warn", True)
    assert not (tmp_path / "none").exists()
    (tmp_path / "txmon.db").write_bytes(b"no database at all" * 100)
    [found] = look("store.opens", {"TXMON_STORE": str(tmp_path)})
    assert found.status == "fail"
    assert states(look("store.writer", {"TXMON_STORE": str(tmp_path)})) == ["skipped"]


def test_a_store_of_a_newer_program(look: Look, place: Place) -> None:
    assert states(look("store.opens", place.environ)) == ["ok"]
    with sqlite3.connect(Path(place.url) / "txmon.db") as con:
        con.execute("update alembic_version set version_num = '9999'")
    con.close()
    [found] = look("store.opens", place.environ)
    assert found.status == "fail"
    assert "newer version" in found.remedy


def test_the_database_is_away_and_its_password_is_not_shown(look: Look) -> None:
    [found] = look("store.opens", {"TXMON_STORE": f"postgresql+psycopg://txmon:hunter2@{NOWHERE}/txmon"})
    assert found.status == "fail"
    assert "hunter2" not in repr(found)


def test_who_writes(look: Look, place: Place, database: Place) -> None:
    for at in (place, database):
        assert "nobody" in look("store.writer", at.environ)[0].found
    with place.writing():
        assert f"process {os.getpid()}" in look("store.writer", place.environ)[0].found
    with database.writing():
        assert "session" in look("store.writer", database.environ)[0].found


def test_the_log_of_heads(look: Look, place: Place, database: Place, tmp_path: Path) -> None:
    place.fill()
    assert states(look("store.heads", place.environ)) == ["ok"]
    [found] = look("store.heads", database.environ)
    assert (found.status, "TXMON_HEADS_FILE" in found.remedy) == ("warn", True)
    found, *_ = look("store.heads", place.environ | {"TXMON_HEADS_FILE": str(tmp_path)})
    assert found.status == "fail"
    heads = Path(place.url) / "heads.log"
    heads.write_text(f"9 {'0' * 64} 1\n")
    [found] = look("store.heads", place.environ)
    assert found.status == "fail"
    assert "row 9" in found.found
    assert "not there" in found.found


def test_the_file_of_erasures(look: Look, place: Place) -> None:
    assert states(look("store.erasures", place.environ)) == ["ok"]
    (Path(place.url) / "erasures.log").mkdir()
    found, *_ = look("store.erasures", place.environ)
    assert found.status == "fail"
    assert "Is a directory" in found.found


def test_how_long_a_start_takes(
    look: Look, place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "nothing" in look("store.start", place.environ)[0].found
    pack = write_pack(tmp_path / "rules", RULE)
    config = read_config([pack], base_currency="EUR")
    with place.writing() as store, store.write() as tx:
        journal.append(tx, "config", config.document, START_US)
    place.fill(7)
    [found] = look("store.start", place.environ)
    assert "there is none that fits; 7 events" in found.found
    monkeypatch.setattr("txmon.doctor.stored.READ_AGAIN_PER_S", 0.01)
    [found] = look("store.start", place.environ)
    assert (found.status, "about 705 s" in found.found) == ("warn", True)
    with place.writing() as store:
        marks = store.marks
    (Path(place.url) / "snapshots").mkdir()
    name = Path(place.url) / "snapshots" / f"{marks.seq:020d}-{config.essence[:16]}.arrow"
    name.write_bytes(b"state")
    [found] = look("store.start", place.environ)
    assert found.status == "ok"
    assert f"behind row {marks.seq}, 0 min old; 0 events" in found.found


def test_the_warehouse_is_behind_of_another_journal_or_damaged(
    look: Look, place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = Path(place.url) / "warehouse"
    assert "none yet" in look("store.warehouse", place.environ)[0].found
    place.fill(5)
    with place.writing() as store, Warehouse.open(folder) as warehouse:
        warehouse.catch_up(store)
    place.fill(4)
    [found] = look("store.warehouse", place.environ)
    assert (found.status, "4 events behind" in found.found) == ("ok", True)
    with place.writing():
        assert states(look("store.warehouse", place.environ)) == ["skipped"]
    monkeypatch.setattr("txmon.doctor.stored._BEHIND", 3)
    assert states(look("store.warehouse", place.environ)) == ["warn"]
    other = made(str(tmp_path / "other"), {})
    other.clock.time_us += 5
    other.fill(9)
    folder.rename(Path(other.url) / "warehouse")
    found, *_ = look("store.warehouse", other.environ)
    assert (found.status, "another journal" in found.found) == ("fail", True)
    (Path(other.url) / "warehouse" / "warehouse.duckdb").write_bytes(b"x" * 5000)
    [found] = look("store.warehouse", other.environ)
    assert (found.status, found.remedy) == ("fail", "run `txmon store rebuild`")
    assert states(look("store.warehouse", other.environ | {"TXMON_WAREHOUSE": "false"})) == ["skipped"]


# -- brokers -------------------------------------------------------------------------------------------


def test_kafka(look: Look, tmp_path: Path) -> None:
    [found] = look("reach.source", {"TXMON_SOURCE_URL": f"kafka://{NOWHERE}/payments"}, answer_s=0.5)
    assert found.status == "fail"
    [found] = look("reach.source", {"TXMON_SOURCE_URL": "kafka://user:hunter2@host:1/t"})
    assert found.status == "fail"
    assert "hunter2" not in repr(found)
    with running_broker(tmp_path) as broker:
        topic = broker.topic("payments", 2)
        found, dead = look(
            "reach.source", {"TXMON_SOURCE_URL": broker.url(topic, dead_letter="refused")}, answer_s=20
        )
        assert (found.status, "2 partitions" in found.found) == ("ok", True)
        assert (dead.status, "refused" in dead.found) == ("warn", True)
        [found] = look("reach.alerts", {"TXMON_ALERTS_URL": broker.url("alerts")}, answer_s=20)
        assert found.status == "warn"


def test_jetstream(look: Look, tmp_path: Path) -> None:
    [found] = look("reach.source", {"TXMON_SOURCE_URL": f"nats://{NOWHERE}/PAY"}, answer_s=0.5)
    assert found.status == "fail"
    with railkit.running(railkit.Nats, tmp_path / "nats") as server:
        server.stream("PAY")
        server.send("PAY.eu", [b"{}"])
        [found] = look("reach.source", {"TXMON_SOURCE_URL": server.url("PAY")}, answer_s=20)
        assert (found.status, "1 messages" in found.found) == ("ok", True)
        [found] = look("reach.source", {"TXMON_SOURCE_URL": server.url("OTHER")}, answer_s=20)
        assert (found.status, "no stream OTHER" in found.found) == ("fail", True)


def test_redis(look: Look, tmp_path: Path) -> None:
    [found] = look("reach.source", {"TXMON_SOURCE_URL": f"redis://{NOWHERE}/pay"}, answer_s=0.5)
    assert found.status == "fail"
    with railkit.running(railkit.Redis, tmp_path / "redis") as server:
        server.send("pay", [b"{}"])
        [found] = look("reach.source", {"TXMON_SOURCE_URL": server.url("pay")}, answer_s=20)
        assert (found.status, "1 entries" in found.found) == ("ok", True)
        assert states(look("reach.source", {"TXMON_SOURCE_URL": server.url("other")}, answer_s=20)) == [
            "warn"
        ]


def test_followed_files(look: Look, tmp_path: Path) -> None:
    assert states(look("reach.source", {"TXMON_SOURCE_URL": f"file://{tmp_path}/none/"})) == ["fail"]
    assert states(look("reach.source", {"TXMON_SOURCE_URL": f"file://{tmp_path}/"})) == ["warn"]
    (tmp_path / "a.ndjson").touch()
    [found] = look("reach.source", {"TXMON_SOURCE_URL": f"file://{tmp_path}/"})
    assert (found.status, "1 files" in found.found) == ("ok", True)
    assert states(look("reach.source", {"TXMON_SOURCE_URL": "amqp://host/queue"})) == ["fail"]


# -- issuer, receivers, the service ----------------------------------------------------------------------


def test_the_issuer(look: Look) -> None:
    with serving(Issuer(lambda: int(time.time()), keys=usual_keys())) as issuer:
        environ = {
            "TXMON_OIDC_ISSUER": issuer.url,
            "TXMON_OIDC_AUDIENCE": "https://txmon",
            "TXMON_OIDC_TEST_LOOPBACK": "true",
        }
        assert states(look("reach.issuer", environ, answer_s=20)) == ["ok"]
        issuer.published = []
        [found] = look("reach.issuer", environ, answer_s=20)
        assert (found.status, "no_key" in found.found) == ("fail", True)
        issuer.says = {"issuer": "https://somebody.else"}
        assert states(look("reach.issuer", environ, answer_s=20)) == ["fail"]
    [found] = look("reach.issuer", environ, answer_s=0.5)
    assert (found.status, "unreachable" in found.found) == ("fail", True)


def test_receivers_of_webhooks(look: Look, place: Place, tmp_path: Path) -> None:
    key = tmp_path / "hook.key"
    key.write_text("ab" * 32)
    key.chmod(0o600)
    environ = place.environ | {"TXMON_WEBHOOK_KEY_FILE": str(key), "TXMON_WEBHOOK_TEST_LOOPBACK": "true"}
    assert states(look("reach.webhooks", environ)) == ["skipped"]
    with receiver() as there, place.writing() as store:
        with store.write() as tx:
            master = load_master(key)
            urls = (
                there.url("/secret-path"),
                f"http://{NOWHERE}/secret-path",
                "https://nowhere.invalid-name-of-nobody.net/x",
            )
            ids = [endpoints.add(tx, master, Wanted(url, loopback=True), by="test")[0].id for url in urls]
        found = look("reach.webhooks", environ, answer_s=5)
        assert states(found) == ["fail", "fail", "ok"]
        assert [ids[1] in found[0].found, ids[2] in found[1].found] == [True, True]
        assert "secret-path" not in repr(found)
        assert there.state.got == []  # a connection, and nothing over it
        # what is for tests only is refused without its setting, and nothing is sent without the key file
        found = look("reach.webhooks", place.environ, answer_s=5)
        assert states(found) == ["fail"] * 4 + ["ok"]
        assert "TXMON_WEBHOOK_KEY_FILE" in found[0].remedy
        with store.write() as tx:
            endpoints.disable(tx, ids[1], by="test")
            endpoints.disable(tx, ids[2], by="test")
        assert states(look("reach.webhooks", environ, answer_s=5)) == ["warn", "warn", "ok"]


def test_a_receiver_whose_certificate_nobody_knows(look: Look, place: Place, tmp_path: Path) -> None:
    key = tmp_path / "hook.key"
    key.write_text("ab" * 32)
    key.chmod(0o600)
    with receiver(certificate(tmp_path, "localhost").server) as there, place.writing() as store:
        with store.write() as tx:
            url = f"https://localhost:{there.port}/secret-path"
            endpoints.add(tx, load_master(key), Wanted(url, loopback=True), by="test")
        environ = {"TXMON_WEBHOOK_KEY_FILE": str(key), "TXMON_WEBHOOK_TEST_LOOPBACK": "true"}
        found, _ = look("reach.webhooks", place.environ | environ, answer_s=20)
        assert (found.status, "certificate is not accepted" in found.found) == ("fail", True)
        assert there.state.sni == ["localhost"]
        assert there.state.got == []


def test_the_database_server(look: Look, place: Place, database: Place) -> None:
    assert states(look("reach.database", place.environ)) == ["skipped"]
    [found] = look("reach.database", database.environ)
    assert (found.status, "not encrypted" in found.found) == ("ok", True)
    ticking = iter(range(100))
    assert states(look("reach.database", database.environ, monotonic=lambda: float(next(ticking)))) == [
        "warn"
    ]


@contextmanager
def serving_txmon(place: Place, folder: Path) -> Iterator[str]:
    """A real `txmon serve`; gives its port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    pack = write_pack(folder / "rules", RULE)
    environ = (
        {k: v for k, v in os.environ.items() if not k.startswith("TXMON_")}
        | place.environ
        | {"TXMON_RULES": str(pack)}
    )
    with (folder / "txmon.log").open("wb") as log:
        process = subprocess.Popen([*TXMON, "serve", "--port", port], env=environ, stdout=log, stderr=log)
    try:
        end = time.monotonic() + LONG_S
        while time.monotonic() < end and process.poll() is None:
            with suppress(httpx.HTTPError):
                if httpx.get(f"http://127.0.0.1:{port}/readyz", timeout=10).status_code:
                    break
            time.sleep(0.2)
        assert process.poll() is None, (folder / "txmon.log").read_text()[-2000:]
        yield port
    finally:
        process.terminate()
        process.wait()


def test_beside_a_running_service(
    look: Look,
    place: Place,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert states(look("reach.service", place.environ)) == ["skipped"]
    with serving_txmon(place, tmp_path) as port:
        environ = place.environ | {"TXMON_PORT": port, "TXMON_RULES": str(tmp_path / "rules")}
        before = (Path(place.url) / "heads.log").read_bytes()
        found = look("reach.service", environ, answer_s=30)
        assert (found[0].status, "is ready" in found[0].found) == ("ok", True)
        [found] = look("reach.service", place.environ | {"TXMON_PORT": "9"}, answer_s=1)
        assert (found.status, "nothing answers" in found.found) == ("warn", True)
        assert states(look("reach.service", place.environ | {"TXMON_PORT": "0"})) == ["skipped"]
        # all of it, by the command, while the service holds the lock
        code, report = command(monkeypatch, capsys, environ)
        assert code == 0
        assert {c["check"]: c["status"] for c in report["checks"]}["store.writer"] == "ok"
        assert (Path(place.url) / "heads.log").read_bytes().startswith(before)
        monkeypatch.setattr(
            httpx.Client,
            "get",
            lambda self, path: httpx.Response(503, json={"ready": False, "reasons": ["disk"]}),
        )
        [found] = look("reach.service", environ)
        assert (found.status, "disk" in found.found) == ("fail", True)


# -- the command ---------------------------------------------------------------------------------------


def command(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], environ: dict[str, str], *words: str
) -> tuple[int, Any]:
    for name in list(os.environ):
        if name.startswith("TXMON_"):
            monkeypatch.delenv(name)
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys, "argv", ["txmon", "doctor", "--json", *words])
    with pytest.raises(SystemExit) as ended:
        main()
    printed = capsys.readouterr().out.strip().splitlines()
    return int(ended.value.code or 0), json.loads(printed[-1]) if printed else None


def test_exit_codes_and_the_report(
    place: Place, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    environ = place.environ | {"TXMON_RULES": str(write_pack(tmp_path / "rules", RULE))}
    code, report = command(monkeypatch, capsys, environ)
    assert (code, report["ok"]) == (0, True)
    assert [c["check"] for c in report["checks"]] == [check.name for check in CHECKS]
    assert sum(report["counts"].values()) == len(CHECKS)
    code, report = command(monkeypatch, capsys, environ | {"TXMON_PORT": "many"})
    assert (code, report["ok"]) == (1, False)
    assert report["checks"][0]["findings"][0]["found"].startswith("TXMON_PORT")
    assert command(monkeypatch, capsys, {}, "--store")[0] == 2
    assert command(monkeypatch, capsys, {}, "--settings", str(tmp_path / "none.toml"))[0] == 2
    settings = tmp_path / "txmon.toml"
    settings.write_text(f'store = "{place.url}"\nrules = "{tmp_path}/rules"\n')
    code, report = command(
        monkeypatch, capsys, {"TXMON_KEY_FILE": str(tmp_path / "k")}, "--settings", str(settings)
    )
    assert {c["check"]: c["status"] for c in report["checks"]}["store.opens"] == "ok"
    monkeypatch.setattr(sys, "argv", ["txmon", "doctor", "--settings", str(settings)])
    with pytest.raises(SystemExit):
        main()
    printed = capsys.readouterr().out
    assert "store.opens" in printed
    assert " -> " in printed


def test_no_secret_is_shown(
    place: Place, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    environ, secrets = dict(place.environ), [key.token for key in place.people]
    for number, name in enumerate(
        ("KEY_FILE", "WEBHOOK_KEY_FILE", "STRIPE_SECRET_FILE", "ADYEN_HMAC_FILE", "OIDC_CLIENT_SECRET_FILE")
    ):
        path = tmp_path / name
        path.write_text(f"{number}deadbeef" * 7)
        path.chmod(0o644 if number % 2 else 0o600)
        environ[f"TXMON_{name}"], secrets = str(path), [*secrets, f"{number}deadbeef"]
    options = tmp_path / "kafka.conf"
    options.write_text("sasl.password=hunter2\nno.such.setting=hunter3\n")
    options.chmod(0o600)
    environ |= {
        "TXMON_SOURCE_URL": f"kafka://{NOWHERE}/t?config={options}", "TXMON_ALERTS_URL": "kafka://me:hunter4@host:9/t",
        "TXMON_RULES": str(write_pack(tmp_path / "rules", RULE)), "TXMON_OIDC_ISSUER": "https://me:hunter5@issuer.test",
    }  # fmt: skip
    secrets += ["hunter2", "hunter3", "hunter4", "hunter5"]
    for more in (
        {},
        {"TXMON_STORE": f"postgresql+psycopg://txmon:hunter6@{NOWHERE}/txmon"},
        {"TXMON_ENV": "production"},
    ):
        code, report = command(monkeypatch, capsys, environ | more)
        assert code == 1
        text = json.dumps(report)
        assert [secret for secret in [*secrets, "hunter6"] if secret in text] == []


def test_the_page_has_the_table() -> None:
    page = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    assert reference() in page
