"""The file of transports: every fault at once, each with its key and remedy; secrets for nobody else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from filingkit import PASSWORD, USER, Fixed, goaml, private_file, private_folder, toml

from txmon.errors import ConfigError
from txmon.filing.config import load
from txmon.filing.send import send


@pytest.fixture
def drop(tmp_path: Path) -> dict[str, Any]:
    folder = private_folder(tmp_path, "out")
    return {
        "name": "drop",
        "kind": "filedrop",
        "jurisdictions": ["AE"],
        "formats": ["goaml"],
        "folder": str(folder),
    }


@pytest.fixture
def service(tmp_path: Path) -> dict[str, Any]:
    secret = private_file(tmp_path / "password", PASSWORD + "\n")
    return {
        "name": "fiu", "kind": "goamlrest", "jurisdictions": ["AE"], "formats": ["goaml"],
        "url": "https://fiu.example", "user": USER, "password_file": str(secret),
    }  # fmt: skip


def told(tmp_path: Path, *transports: dict[str, Any], **more: Any) -> str:
    """Read a file that is wrong and return what is told."""
    receipts = tmp_path / "receipts"
    if not receipts.exists():
        private_folder(tmp_path, "receipts")
    path = toml(tmp_path / "filing.toml", *transports, receipts=receipts, **more)
    with pytest.raises(ConfigError) as caught:
        load(path, lambda _: True)
    assert all(line.startswith(f"{path}: ") for line in caught.value.detail.splitlines())
    return caught.value.detail


def test_every_fault_is_told_at_once(tmp_path: Path) -> None:
    wrong = {"name": "No", "kind": "filedrop", "jurisdictions": ["uae"], "formats": ["html"], "foldr": "x"}
    found = told(tmp_path, wrong, {"kind": "pigeon"}, extra=1, version=2)
    for part in (
        "extra: is unknown", "version: must be 1", "transport[0].name", "transport[0].jurisdictions: uae",
        "transport[0].formats: html cannot be filed", "transport[0].foldr: is unknown; did you mean folder?",
        "transport[0].folder: is missing", "transport[1].kind: must be one of filedrop, goamlrest",
        "transport[1].jurisdictions: must be a list",
    ):  # fmt: skip
        assert part in found, part


@pytest.mark.parametrize(
    ("key", "value", "part"),
    [
        ("folder", "relative", "whole path"),
        ("folder", 7, "whole path"),
        ("settle_s", -1, "0 or more"),
        ("settle_s", True, "whole number"),
        ("settle_s", "5", "whole number"),
        ("schema", "/nowhere.xsd", "no file"),
        ("formats", [], "at least one"),
        ("jurisdictions", "AE", "list of texts"),
    ],
)
def test_wrong_options_of_a_folder(
    key: str, value: Any, part: str, drop: dict[str, Any], tmp_path: Path
) -> None:
    found = told(tmp_path, {**drop, key: value})
    assert part in found
    assert key in found


@pytest.mark.parametrize(
    "url",
    [
        "http://fiu.example", "ftp://fiu.example", "fiu.example", "https://", "https://u:p@fiu.example",
        "https://fiu.example?x=1", "https://fiu.example#x", "https://fiu.example\\@evil.example", "",
        "https://fiu.example:port", "https://fiu example", "https://fiü.example",
    ],
)  # fmt: skip
def test_only_plain_https_is_taken(url: str, service: dict[str, Any], tmp_path: Path) -> None:
    assert "https" in told(tmp_path, {**service, "url": url})


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("auth", "none"), ("package", "tar"), ("timeout_s", 0), ("timeout_s", 601), ("tries", 0), ("tries", 21),
        ("pause_s", -1), ("login_path", "api"), ("upload_path", "/x?y"), ("status_path", "//é"), ("cookie", "a b"),
        ("field", ""), ("reference_name", "a-b"), ("key_name", "x eq 1 or y"), ("verify", False),
    ],
)  # fmt: skip
def test_wrong_options_of_a_service(key: str, value: Any, service: dict[str, Any], tmp_path: Path) -> None:
    assert key in told(tmp_path, {**service, key: value})


def test_two_ways_for_one_report_are_refused(
    drop: dict[str, Any], service: dict[str, Any], tmp_path: Path
) -> None:
    assert "already goes by drop" in told(tmp_path, drop, service)
    assert "stands twice" in told(tmp_path, drop, {**service, "name": "drop", "jurisdictions": ["LK"]})


def test_without_transports_or_receipts(drop: dict[str, Any], tmp_path: Path) -> None:
    assert "one [[transport]] or more" in told(tmp_path)
    path = tmp_path / "filing.toml"
    for text, part in (
        ("version = 1\n[[transport]]\n", "receipts: name a folder"),
        ('version = 1\nreceipts = "here"\ntransport = 7\n', "receipts: name a folder"),
        ("version =", "TOML"),
    ):
        path.write_text(text)
        with pytest.raises(ConfigError, match=part.replace("[", r"\[")):
            load(path, lambda _: True)
    path.write_bytes(b"\xff")
    with pytest.raises(ConfigError, match="TOML"):
        load(path, lambda _: True)
    with pytest.raises(ConfigError, match=r"docs/filing\.md"):
        load(tmp_path / "none.toml", lambda _: True)


def test_receipts_that_others_may_read_are_refused(drop: dict[str, Any], tmp_path: Path) -> None:
    receipts = private_folder(tmp_path, "receipts")
    receipts.chmod(0o755)
    with pytest.raises(ConfigError, match="chmod 700"):
        load(toml(tmp_path / "filing.toml", drop, receipts=receipts), lambda _: True)


@pytest.mark.parametrize(
    ("mode", "text", "part"),
    [
        (0o640, PASSWORD, "chmod 600"), (0o604, PASSWORD, "chmod 600"), (0o600, "", "one line"),
        (0o600, "\n", "one line"), (0o600, "a\nb", "one line"), (0o600, "a\x00b", "one line"),
        (0o600, "x" * 5000, "one line"),
    ],
)  # fmt: skip
def test_secrets_that_others_may_read_or_that_are_none(
    mode: int, text: str, part: str, service: dict[str, Any], tmp_path: Path
) -> None:
    secret = Path(service["password_file"])
    secret.write_text(text)
    secret.chmod(mode)
    path = toml(tmp_path / "filing.toml", service, receipts=private_folder(tmp_path, "receipts"))
    config = load(path, lambda _: True)
    with pytest.raises(ConfigError, match=part) as caught:
        send(goaml(), config, Fixed())
    assert PASSWORD not in caught.value.detail


def test_a_secret_behind_a_link_or_missing_is_refused(service: dict[str, Any], tmp_path: Path) -> None:
    secret = Path(service["password_file"])
    secret.rename(tmp_path / "real")
    path = toml(tmp_path / "filing.toml", service, receipts=private_folder(tmp_path, "receipts"))
    config = load(path, lambda _: True)
    with pytest.raises(ConfigError, match="cannot be read"):
        send(goaml(), config, Fixed())
    secret.symlink_to(tmp_path / "real")
    with pytest.raises(ConfigError, match="cannot be read"):
        send(goaml(), config, Fixed())


def test_a_report_that_no_transport_takes(drop: dict[str, Any], tmp_path: Path) -> None:
    path = toml(tmp_path / "filing.toml", drop, receipts=private_folder(tmp_path, "receipts"))
    config = load(path, lambda _: True)
    with pytest.raises(ConfigError, match="no transport takes goaml for NL"):
        send(goaml(jurisdiction="NL"), config, Fixed())
    with pytest.raises(ConfigError, match="no transport"):
        config.named("fiu")
