"""Profiles: what a bundle tells to whom. Looked for in the bytes of every file, not in a list of columns."""

from __future__ import annotations

import json
from pathlib import Path

import pgkit
import pyarrow as pa
import pytest
from evidencekit import (
    PUBLIC,
    alert_with,
    bundle_of,
    files_in,
    reading,
    stock_duckdb,
    table_in,
    unpacked,
)
from servicekit import Bench, Clock, chance, pay, send, simple_rules

from txmon.errors import ConfigError, InputError, NotFound
from txmon.evidence.check import check
from txmon.evidence.redact import PROFILES
from txmon.evidence.source import alert_row
from txmon.pipeline.history import runs
from txmon.store import Store
from txmon.store.erase import Why, erase_events

RULE = {
    "id": "three",
    "subject": "payer",
    "score": 0.7,
    "protect": True,
    "let": {
        "n": "count(distinct payee) over payer_3d",
        "shop": "count(*) filter (where amount >= 20) over merchant_3d",
        "last_city": "last(city) over payer_3d",
    },
    "when": "n >= 3 and shop >= 2",
    "explain": "{n} payees, now {payee}",
}
SECRETS = {
    "accounts": ("payee-one", "payee-two", "payee-three"),
    "others": ("stranger", "payee-unseen"),  # never in any bundle: the rule did not count them
    "card": ("card-of-anna",),
    "device": ("phone-of-anna",),
    "memo": ("for the flat",),
    "merchant": ("shop-in-berlin",),
    "subject": ("anna-payer",),
    "event": ("e-first",),
}


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("small")
    fill(folder, str(folder / "store"))
    return folder / "store"


def fill(folder: Path, place: str) -> None:
    """Three payments of one payer at a shop; a stranger bought there, too, for little and for much."""
    service = Bench(folder, simple_rules(folder, RULE), place).open()
    own = {
        "payer": "anna-payer",
        "merchant": "shop-in-berlin",
        "card": "card-of-anna",
        "device": "phone-of-anna",
        "memo": "for the flat",
        "city": "Ulm",
    }
    send(service, [
        pay("e-first", 0, payee="payee-one", **own),
        pay("s1", 1, payer="stranger", payee="payee-unseen", merchant="shop-in-berlin"),
        pay("s2", 2, payer="other-buyer", payee="payee-one", merchant="shop-in-berlin", amount="21.00"),
        pay("e2", 3, payee="payee-two", amount="22.00", **{k: v for k, v in own.items() if k != "amount"}),
        pay("x", 4, payer="elsewhere", payee="payee-unseen"),
        pay("e3", 5, payee="payee-three", **own),
    ])  # fmt: skip
    assert service.close()


def told(files: dict[str, bytes]) -> bytes:
    """All that a bundle says, Parquet as text."""
    texts = [
        json.dumps(table_in(files, name).to_pylist(), default=str).encode()
        if name.endswith(".parquet")
        else content
        for name, content in files.items()
    ]
    return b"\n".join(texts)


@pytest.mark.parametrize(
    ("profile", "hidden"),
    [
        ("internal", set()),
        ("police", set()),
        ("court", {"accounts", "card", "device", "memo"}),
        ("clearing-house", {"accounts", "card", "device", "memo", "subject"}),
        ("public", {"accounts", "card", "device", "memo", "subject", "merchant", "event"}),
    ],
)
def test_a_profile_hides_what_it_says(small: Path, tmp_path: Path, profile: str, hidden: set[str]) -> None:
    with reading(small) as store:
        made = bundle_of(store, alert_with(store, "three"), tmp_path / "b.zip", profile)
    files = files_in(made.path)
    said = told(files)
    for what, names in SECRETS.items():
        for name in names:
            shown = name.encode() in said
            assert shown is (what not in hidden and what != "others"), (profile, what, name)
    assert (b"person:" in said) is False
    assert made.derived == made.hits == 1
    assert stock_duckdb(unpacked(made.path, tmp_path / "files"))[0] == "PASS"
    report = check(made.path, PUBLIC)
    assert report.ok, report.findings
    closed = [row["salt"] is None for row in table_in(files, "proofs.parquet").to_pylist()]
    assert any(closed) is bool(hidden)


def test_nothing_that_the_rule_did_not_count(small: Path, tmp_path: Path) -> None:
    """Of a window over the shop, only what its filter counts: one row of another buyer, none of the stranger."""
    with reading(small) as store:
        made = bundle_of(store, alert_with(store, "three"), tmp_path / "b.zip")
    events = table_in(files_in(made.path), "events.parquet").column("event_id").to_pylist()
    assert events == ["e-first", "s2", "e2", "e3"]


def test_pseudonyms_are_of_one_bundle(small: Path, tmp_path: Path) -> None:
    """Equal where identities are equal, the same again for the same alert and profile, others in another."""
    with reading(small) as store:
        alert = alert_with(store, "three")
        first, again, other = (
            files_in(bundle_of(store, alert, tmp_path / f"{i}.zip", p).path)
            for i, p in enumerate(("court", "court", "clearing-house"))
        )
    payees = [table_in(f, "events.parquet").column("payee").to_pylist() for f in (first, again, other)]
    assert payees[0] == payees[1]
    assert payees[0][0] == payees[0][1]
    assert len(set(payees[0])) == 3
    assert not set(payees[0]) & set(payees[2])
    assert first["events.parquet"] == again["events.parquet"]


def test_what_is_refused(small: Path, tmp_path: Path) -> None:
    with reading(small) as store:
        alert = alert_with(store, "three")
        with pytest.raises(NotFound, match="no alert"):
            bundle_of(store, "al-none", tmp_path / "b.zip")
        with pytest.raises(InputError, match="none of internal, police"):
            bundle_of(store, alert, tmp_path / "b.zip", "press")
        (tmp_path / "there.zip").write_bytes(b"")
        with pytest.raises(ConfigError, match="exists"):
            bundle_of(store, alert, tmp_path / "there.zip")
        assert alert_row(store, alert)["protect"] is True
    assert not (tmp_path / "b.zip").exists()
    assert set(PROFILES) == {"internal", "police", "court", "clearing-house", "public"}


def test_no_other_customer_in_a_crowd(crowd: Store, tmp_path: Path) -> None:
    """Every event of a bundle is in the journal as it stands there, with its own number."""
    journaled = {}
    for run in runs(crowd, 1, None):
        for number, row in zip(run.numbers.tolist(), run.events.to_pylist(), strict=True):
            journaled[number] = row
    made = bundle_of(crowd, alert_with(crowd, "much-in"), tmp_path / "b.zip")
    events: pa.Table = table_in(files_in(made.path), "events.parquet")
    assert len(events) < len(journaled)
    for row in events.to_pylist():
        number = row.pop("ingest_seq")
        assert row == journaled[number]


def test_a_store_in_postgresql(tmp_path: Path) -> None:
    place = pgkit.fresh_database()
    fill(tmp_path, place)
    with reading(place) as store:
        made = bundle_of(store, alert_with(store, "three"), tmp_path / "b.zip")
    assert stock_duckdb(unpacked(made.path, tmp_path / "files"))[0] == "PASS"
    assert check(made.path, PUBLIC).ok


def test_what_was_erased_is_not_shown(tmp_path: Path) -> None:
    """A value that no rule reads: its proof is closed for good. An event that one counts: no bundle."""
    fill(tmp_path, str(tmp_path / "store"))
    why = Why("a request", "psn_a", "psn_b")
    opened = Store.open(tmp_path / "store", clock=Clock(), random_bytes=chance())
    with opened:
        alert = alert_with(opened, "three")
        erase_events(opened, [("native", "e2")], why, columns=["memo"])
        made = bundle_of(opened, alert, tmp_path / "b.zip")
        assert b"for the flat" in told(files_in(made.path))
        assert any("closed for good" in note for note in check(made.path, PUBLIC).notes)
        assert stock_duckdb(unpacked(made.path, tmp_path / "files"))[0] == "PASS"
        assert check(made.path, PUBLIC).ok
        erase_events(opened, [("native", "e2")], why)
        with pytest.raises(InputError, match="no hit of the alert can be derived again"):
            bundle_of(opened, alert, tmp_path / "c.zip")
