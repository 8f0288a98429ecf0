"""Statements and notifications of a bank: entries with and without details, in whatever version they come."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from feedkit import KEY, SAMPLES, Row, read

from txmon.model.rates import Rates
from txmon.streams import load_feed
from txmon.streams.decode import DecodedBatch, Decoder
from txmon.streams.feedfile import read_feed, shipped_directory

PUBLIC = Path(__file__).parents[3] / "shared" / "formats" / "iso20022"
SAMPLE = (SAMPLES / "camt.xml").read_text()
IBAN = "DE75512108001245126199"


def decode(*documents: str) -> DecodedBatch:
    return Decoder(load_feed("camt"), KEY, Rates("EUR")).decode_payloads([d.encode() for d in documents])


@pytest.fixture(scope="module")
def rows() -> list[Row]:
    events, quarantine = read(SAMPLES / "camt.xml", "camt")
    assert quarantine == []
    return events


def test_each_transaction_is_an_event_and_an_entry_without_details_is_one(rows: list[Row]) -> None:
    found = [(e["kind"], e["status"], e["amount_minor"], e["payer"], e["payee"]) for e in rows]
    assert found == [
        ("transfer", "settled", 12050, "FR1420041010050500013M02606", IBAN),
        ("transfer", "settled", 10000, IBAN, "NL91ABNA0417164300"),
        ("transfer", "settled", 20000, IBAN, "GENODEF1XXX:777-1"),
        ("cash_out", "settled", 5000, IBAN, None),
        ("reversal", "settled", 20000, "NL91ABNA0417164300", IBAN),
        ("transfer", "pending", 999, IBAN, None),
    ]


def test_ids_are_the_banks_references(rows: list[Row]) -> None:
    assert [str(e["event_id"]).removeprefix(IBAN) for e in rows] == [
        ":REF0001:CRDT",
        ":REF0002:DBIT:1",
        ":REF0002:DBIT:2",
        ":S-2026-03-02#4:DBIT",
        ":REF0002:CRDT:reversal",
        ":REF0003:DBIT",
    ]


def test_the_amount_of_a_single_transaction_is_what_was_booked(rows: list[Row]) -> None:
    first = rows[0]
    assert (first["currency"], first["memo"], first["rail"]) == ("EUR", "rent march", "sepa")
    attributes = dict(first["attributes"])  # type: ignore[call-overload]
    assert (attributes["instructed_amount"], attributes["instructed_currency"]) == ("130.00", "USD")


def test_a_date_without_a_time_is_of_day_resolution(rows: list[Row]) -> None:
    assert [e["time_resolution"] for e in rows] == ["s", *["day"] * 5]


def test_a_batch_without_amounts_of_its_transactions_is_quarantined() -> None:
    batch = decode(SAMPLE.replace('<Amt Ccy="EUR">100.00</Amt>', ""))
    assert batch.events.num_rows == 5
    assert batch.quarantine.column("field").to_pylist() == ["currency"]


@pytest.mark.parametrize("message", ["camt.053.001.04", "camt.053.001.12", "camt.054.001.08"])
def test_versions_and_notifications(rows: list[Row], message: str) -> None:
    document = SAMPLE.replace("camt.053.001.08", message)
    if message.startswith("camt.054"):
        document = document.replace("BkToCstmrStmt", "BkToCstmrDbtCdtNtfctn").replace("Stmt>", "Ntfctn>")
    batch = decode(document)
    assert batch.quarantine.num_rows == 0
    assert batch.events.column("event_id").to_pylist() == [e["event_id"] for e in rows]


def test_another_definition_is_refused() -> None:
    batch = decode(SAMPLE.replace("camt.053.001.08", "camt.052.001.08"))
    assert (batch.events.num_rows, batch.quarantine.column("reason").to_pylist()) == (0, ["bad_xml"])


def test_a_refused_transaction_comes_again_as_its_row() -> None:
    batch = decode(SAMPLE.replace("<Cd>PDNG</Cd>", "<Cd>ODD</Cd>"))
    (refused,) = batch.quarantine.to_pylist()
    assert (refused["field"], refused["value"]) == ("status", "ODD")
    raw = json.dumps(json.loads(refused["raw"]) | {"status": "PDNG"})
    assert decode(raw).events.column("event_id").to_pylist() == [f"{IBAN}:REF0003:DBIT"]


def test_a_batch_of_many_is_read_one_by_one() -> None:
    one = '<TxDtls><Amt Ccy="EUR">0.01</Amt></TxDtls>'
    head, _, rest = SAMPLE.partition("<TxDtls>\n            <Amt")
    batch = decode(head + one * 20_000 + "<TxDtls>\n            <Amt" + rest)
    assert (batch.events.num_rows, batch.quarantine.num_rows) == (20_006, 0)
    ids = batch.events.column("event_id").to_pylist()
    assert len(set(ids)) == len(ids)
    assert f"{IBAN}:REF0002:DBIT:20002" in ids


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        (
            "rows: BkToCstmrStmt/Stmt/Ntry | BkToCstmrDbtCdtNtfctn/Ntfctn/Ntry",
            "rows: A/B | A/C",
            "another message's element",
        ),
        ("details: NtryDtls/TxDtls", "details: NtryDtls//TxDtls", "parted by /"),
        ("index: $index", "index: $place", "is no path"),
    ],
)
def test_wrong_paths_are_told(tmp_path: Path, old: str, new: str, says: str) -> None:
    path = tmp_path / "camt.yaml"
    text = (shipped_directory() / "camt.yaml").read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    feed, errors = read_feed(path)
    assert feed is None
    assert any(says in e.detail for e in errors)


@pytest.mark.shared
def test_public_samples() -> None:
    if not PUBLIC.is_dir():
        pytest.skip("the public ISO 20022 samples are not beside the repository")
    counts = {}
    for path in sorted((PUBLIC / "samples").glob("camt*.xml")):
        events, quarantine = read(path, "camt")
        assert quarantine == []
        counts[path.stem] = (
            len(events),
            sum(int(str(e["amount_minor"])) for e in events if e["status"] == "settled"),
        )
    assert counts == {
        "camt.053.001.02-a": (15, 16_906),
        "camt.053.001.02-fi": (13, 3_250_517),
        "camt.054.001.02-fi": (13, 1_073_005),
    }


@pytest.mark.shared
def test_the_sample_is_valid() -> None:
    if not PUBLIC.is_dir():
        pytest.skip("the public ISO 20022 schemas are not beside the repository")
    from lxml import etree

    for version in ("camt.053.001.08", "camt.053.001.12"):
        schema = etree.XMLSchema(etree.parse(PUBLIC / f"{version}.xsd"))
        schema.assertValid(etree.fromstring(SAMPLE.replace("camt.053.001.08", version).encode()))
