"""Settings: where a value comes from, what is refused, and what production demands."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from txmon.settings import PREFIX, Settings, SettingsError, load, reference

DOCS = Path(__file__).parents[2] / "docs" / "settings.md"


def faults(environ: dict[str, str], **arguments: object) -> tuple[str, ...]:
    with pytest.raises(SettingsError) as caught:
        load(environ, arguments)
    return caught.value.faults


def production(folder: Path, **more: str) -> dict[str, str]:
    """Variables of a production process that starts."""
    for name in ("pan.key", "webhook.key"):
        (folder / name).write_text("00" * 32)
        (folder / name).chmod(0o600)
    return {
        "TXMON_ENV": "production",
        "TXMON_STORE": str(folder / "store"),
        "TXMON_HEADS_FILE": str(folder / "elsewhere" / "heads.log"),
        "TXMON_KEY_FILE": str(folder / "pan.key"),
        "TXMON_WEBHOOK_KEY_FILE": str(folder / "webhook.key"),
        "TXMON_BASE_CURRENCY": "EUR",
        "TXMON_ENTITY": "bank-1",
        "TXMON_BEHIND_TLS_PROXY": "true",
    } | more


def test_defaults_need_nothing() -> None:
    assert load({}) == Settings()


def test_argument_beats_variable_beats_file_beats_default(tmp_path: Path) -> None:
    file = tmp_path / "txmon.toml"
    file.write_text("port = 1\nhost = '0.0.0.0'\nqueue_events = 9000\n")
    environ = {"TXMON_SETTINGS": str(file), "TXMON_PORT": "2", "TXMON_HOST": "::1", "PATH": "/bin"}
    got = load(environ, {"port": 3, "host": None})
    assert (got.port, got.host, got.queue_events, got.batch_events) == (3, "::1", 9000, 4096)


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("TXMON_PROT", "80", "did you mean 'port'"),
        ("TXMON_PORT", "x", "not a whole number"),
        ("TXMON_PORT", "70000", "too large; at most 65535"),
        ("TXMON_IDEMPOTENCY_HOURS", "23", "too small; at least 24"),
        ("TXMON_ENV", "prod", "not one of development, production"),
        ("TXMON_WAREHOUSE", "maybe", "neither true nor false"),
        ("TXMON_BASE_CURRENCY", "euro", "ISO 4217"),
        ("TXMON_HISTORY_UNTIL", "yesterday", "not a UTC time"),
        ("TXMON_STORE", "mysql://h/d", "postgresql+psycopg://"),
        ("TXMON_TLS_CERT_FILE", "a.pem", "set both or neither"),
        ("TXMON_TRUSTED_PROXIES", "10.0.0.0/8, proxy", "not an address or network"),
        ("TXMON_BATCH_EVENTS", "60000", "raise the queue"),
        ("TXMON_SETTINGS", "/nowhere/x.toml", "correct the path"),
    ],
)
def test_a_wrong_value_is_named_with_its_variable_and_remedy(variable: str, value: str, said: str) -> None:
    (line,) = faults({variable: value})
    assert said in line
    assert variable in line or variable == "TXMON_SETTINGS"


def test_all_faults_are_said_at_once(tmp_path: Path) -> None:
    file = tmp_path / "s.toml"
    file.write_text("nosuch = 1\nport = true\n")
    found = faults({"TXMON_RATE_LIMIT": "-1"}, settings=str(file))
    assert len(found) == 3


def test_values_of_every_type() -> None:
    got = load(
        {
            "TXMON_BULK_MAX_BYTES": "2_000_000",
            "TXMON_RATE_LIMIT": "2.5",
            "TXMON_TRUSTED_PROXIES": "10.0.0.1, fd00::/8",
            "TXMON_HEADS_FILE": "/var/heads",
            "TXMON_HISTORY_UNTIL": "2026-01-05T12:00:00.5Z",
            "TXMON_ENTITY_TZ": "",
        }
    )
    assert got.bulk_max_bytes == 2_000_000
    assert got.rate_limit == 2.5
    assert got.trusted_proxies == ("10.0.0.1", "fd00::/8")
    assert got.heads_file == Path("/var/heads")
    assert got.history_until_us == 1_767_614_400_500_000
    assert load({"TXMON_HISTORY_UNTIL": "2026-01-05"}).history_until_us == 1_767_571_200_000_000
    assert got.entity_tz is None


def test_production_starts_when_everything_is_said(tmp_path: Path) -> None:
    assert load(production(tmp_path)).production


@pytest.mark.parametrize(
    "name", ["STORE", "HEADS_FILE", "KEY_FILE", "WEBHOOK_KEY_FILE", "BASE_CURRENCY", "ENTITY"]
)
def test_production_takes_no_default(tmp_path: Path, name: str) -> None:
    environ = production(tmp_path)
    del environ[f"TXMON_{name}"]
    assert any(f"TXMON_{name}" in line for line in faults(environ))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"TXMON_BEHIND_TLS_PROXY": "no"}, "plain http"),
        ({"TXMON_WEBHOOK_TEST_LOOPBACK": "yes"}, "for tests only"),
        ({"TXMON_KEY_FILE": "/nowhere/pan.key"}, "make the file"),
        ({"TXMON_STORE": "postgresql+psycopg://u:hunter2@db.example/txmon"}, "sslmode=verify-full"),
    ],
)
def test_production_refuses(tmp_path: Path, change: dict[str, str], said: str) -> None:
    (line,) = faults(production(tmp_path, **change))
    assert said in line
    assert "hunter2" not in line


def test_production_refuses_readable_shared_or_inner_files(tmp_path: Path) -> None:
    environ = production(tmp_path)
    (tmp_path / "pan.key").chmod(0o644)
    assert "chmod 600" in faults(environ)[0]
    (tmp_path / "pan.key").chmod(0o600)
    assert "another file" in faults(environ | {"TXMON_WEBHOOK_KEY_FILE": str(tmp_path / "pan.key")})[0]
    inner = str(tmp_path / "store" / "heads.log")
    assert "outside TXMON_STORE" in faults(environ | {"TXMON_HEADS_FILE": inner})[0]


def test_a_checked_database_is_accepted_in_production(tmp_path: Path) -> None:
    for url in ("postgresql+psycopg://u@db/x?sslmode=verify-full", "postgresql+psycopg://u@/x?host=/run"):
        assert load(production(tmp_path, TXMON_STORE=url)).store_is_database


def test_a_password_is_never_shown() -> None:
    got = load({"TXMON_STORE": "postgresql+psycopg://u:hun@ter2@db/x", "TXMON_PORT": "9"})
    assert "ter2" not in repr(got) + str(got.shown())
    assert "port=9" in repr(got)
    assert got.shown()["store"] == "postgresql+psycopg://***@db/x"


def test_every_setting_is_documented() -> None:
    text = DOCS.read_text(encoding="utf-8")
    assert reference() in text, "docs/settings.md is stale; put `txmon.settings.reference()` into it"
    for field in dataclasses.fields(Settings):
        assert f"{PREFIX}{field.name.upper()}" in text
