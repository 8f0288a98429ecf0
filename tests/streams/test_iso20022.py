"""ISO 20022 in XML and in Tazama's JSON: fields, versions, envelopes, hostile documents, large files."""

from __future__ import annotations

import re
import time
from pathlib import Path

import pytest
from feedkit import KEY, SAMPLES, Row, read

from txmon.model.rates import Rates
from txmon.streams import load_feed, open_source
from txmon.streams.decode import Decoder
from txmon.streams.paths import Path as FieldPath
from txmon.streams.paths import parse_path

PUBLIC = Path(__file__).parents[3] / "shared" / "formats"
NS = "urn:iso:std:iso:20022:tech:xsd:"


def sample(name: str) -> str:
    return (SAMPLES / name).read_text(encoding="utf-8")


def decode(feed: str, *documents: str | bytes) -> tuple[list[Row], list[Row]]:
    decoder = Decoder(load_feed(feed), KEY, Rates("EUR"))
    batch = decoder.decode_payloads([d.encode() if isinstance(d, str) else d for d in documents])
    return batch.events.to_pylist(), batch.quarantine.to_pylist()


def attributes(row: Row) -> dict[str, str]:
    return dict(row["attributes"])  # type: ignore[call-overload, no-any-return]


def test_transfers() -> None:
    events, quarantine = decode("pacs008", sample("pacs008.xml"))
    assert quarantine == []
    first, second, third = events
    assert first["event_id"] == "3f1a8b0e-5c1d-4c52-9a51-0d6f1c2b7e10"
    assert str(first["event_time"]) == "2026-01-05 11:00:00+00:00"
    assert (first["kind"], first["status"], first["rail"]) == ("transfer", None, "sepa")
    assert (first["amount_minor"], first["currency"]) == (85_000, "EUR")
    assert (first["payer"], first["payer_country"]) == ("DE89370400440532013000", "DE")
    assert (first["payee"], first["payee_country"]) == ("FR1420041010050500013M02606", "FR")
    assert (first["memo"], first["purpose"]) == ("Rent January flat 4", "RENT")
    assert attributes(first)["end_to_end"] == "RENT-JAN"
    assert (second["event_id"], second["amount_minor"]) == ("SAMPLE-TX-2", 120_000)  # the yen has no decimals
    assert (second["payer"], second["payer_country"]) == ("BBBBUS33:00125574999", "US")
    assert (second["payee"], second["payee_country"]) == ("0001:7654321", "JP")
    assert (third["event_id"], third["amount_minor"]) == ("SAMPLE-20260105-1#3", 12_345)


def test_orders_of_several_payers() -> None:
    events, quarantine = decode("pain001", sample("pain001.xml"))
    assert quarantine == []
    assert [e["event_id"] for e in events] == [f"order:SAMPLE-ORDERS-7#{i}" for i in (1, 2, 3)]
    assert {e["status"] for e in events} == {"pending"}
    assert [e["payer"] for e in events] == ["DE89370400440532013000"] * 2 + ["BE71096123456769"]
    assert [e["amount_minor"] for e in events] == [210_010, 198_000, 50_000]
    assert [attributes(e)["payment_id"] for e in events] == ["WAGES", "WAGES", "RENT"]
    assert [attributes(e)["execution_date"] for e in events] == ["2026-01-06"] * 2 + ["2026-01-07"]


def test_reports_count_no_money_but_a_rejection_takes_it_back() -> None:
    (transfer, *_), _ = decode("pacs008", sample("pacs008.xml"))
    (rejected, settled, bare), quarantine = decode("pacs002", sample("pacs002.xml"))
    assert quarantine == []
    assert rejected["related_event_id"] == transfer["event_id"]
    assert (rejected["kind"], rejected["status"]) == ("reversal", "settled")
    assert (rejected["payer"], rejected["payee"]) == (transfer["payee"], transfer["payer"])
    assert rejected["amount_minor"] == transfer["amount_minor"]
    assert (settled["kind"], settled["status"], settled["amount_minor"]) == ("authorization", "settled", 0)
    assert (bare["kind"], bare["status"]) == ("authorization", "declined")
    assert attributes(bare)["reason"] == "AM04"


@pytest.mark.parametrize("feed", ["pacs008", "pain001", "pacs002"])
def test_every_version_and_envelope_is_read_alike(feed: str) -> None:
    nested = load_feed(feed).nested
    assert nested is not None
    body = re.sub(
        r"<\?xml.*?\?>|</?BusMsgEnvlp[^>]*>|<AppHdr.*?</AppHdr>", "", sample(f"{feed}.xml"), flags=re.S
    )
    found = re.search(r"(?:pacs|pain)\.\d{3}\.\d{3}\.\d\d", body)
    assert found is not None
    expected, _ = decode(feed, body)
    for message in sorted(nested.messages):
        document = body.replace(found.group(), message)
        for text in (
            document,
            f'<E xmlns="urn:network:v1"><Head><X/></Head><Inner>{document}</Inner></E>',
            "\ufeff<!-- note -->\n" + document,
        ):
            events, quarantine = decode(feed, text)
            assert quarantine == []
            assert [attributes(e).pop("message") for e in events] == [message] * len(expected)
            assert [e | {"attributes": None} for e in events] == [e | {"attributes": None} for e in expected]


def test_prefixed_names_without_document() -> None:
    text = sample("pacs008.xml").replace("<Document xmlns=", "<w:Message xmlns:w='urn:w' xmlns:ct=")
    text = text.replace("</Document>", "</w:Message>")
    text = re.sub(r"<(/?)(?!w:|\?)([A-Z])", r"<\1ct:\2", text)
    assert decode("pacs008", text) == decode("pacs008", sample("pacs008.xml"))


def test_quarantined_rows_read_again_as_flat_json() -> None:
    text = sample("pacs008.xml").replace("850.00", "850.001")
    events, (refused,) = decode("pacs008", text)
    assert len(events) == 2
    assert (refused["field"], refused["reason"]) == ("amount", "amount_precision")
    fixed = str(refused["raw"]).replace("850.001", "850.00")
    (event,), quarantine = decode("pacs008", fixed)
    assert quarantine == []
    assert event == decode("pacs008", sample("pacs008.xml"))[0][0]


BOMB = '<!ENTITY a0 "lol">' + "".join(f'<!ENTITY a{i} "{f"&a{i - 1};" * 10}">' for i in range(1, 12))
HOSTILE = {
    "laughs": f"<!DOCTYPE x [{BOMB}]><x>&a11;</x>",
    "quadratic": f'<!DOCTYPE x [<!ENTITY a "{"x" * 50_000}">]><x>{"&a;" * 50_000}</x>',
    "external": '<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><x>&a;</x>',
    "parameter": '<!DOCTYPE x [<!ENTITY % p SYSTEM "http://127.0.0.1:9/x.dtd"> %p;]><x/>',
    "dtd": '<!DOCTYPE Document SYSTEM "http://127.0.0.1:9/x.dtd"><Document/>',
    "late": "<x>" + " " * 100_000 + "<!DOCTYPE x></x>",
    "deep": "<x>" * 100_000,
    "cut": sample("pacs008.xml")[:1500],
    "utf16": sample("pacs008.xml").replace("UTF-8", "UTF-16").encode("utf-16"),
    "latin": sample("pacs008.xml").encode() + b"\xff",
    "version": sample("pacs008.xml").replace("001.08", "001.99"),
    "other": sample("pain001.xml"),
    "empty": "<Document/>",
    "markup": "<",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_documents_are_quarantined_at_once(name: str) -> None:
    decode("pacs008", "<x/>")
    began = time.process_time()
    events, (refused, *more) = decode("pacs008", HOSTILE[name])
    spent = time.process_time() - began
    assert events == []
    assert more == []
    assert refused["reason"] in ("bad_xml", "bad_utf8")
    assert "passwd" not in str(refused["message"])
    assert spent < 2  # a bomb that went off would take minutes


def test_inclusions_and_instructions_are_no_more_than_text() -> None:
    text = sample("pacs008.xml").replace(
        "<GrpHdr>",
        '<?php x?><i:include xmlns:i="http://www.w3.org/2001/XInclude" href="/etc/passwd" parse="text"/><GrpHdr>',
        1,
    )
    assert decode("pacs008", text) == decode("pacs008", sample("pacs008.xml"))


def test_one_bad_document_leaves_the_others() -> None:
    good = sample("pacs008.xml")
    decoder = Decoder(load_feed("pacs008"), KEY, Rates("EUR"))
    batch = decoder.decode_payloads(
        [good.encode(), good[:1500].encode(), sample("pacs008.xml").replace("SAMPLE-TX-2", "T4").encode()]
    )
    assert batch.lines.tolist() == [0] * 3 + [2] * 3
    assert batch.refused.tolist() == [1]


def test_a_large_file_is_streamed(tmp_path: Path) -> None:
    import resource

    text = sample("pacs008.xml")
    head, one, tail = (
        text[: text.index("<CdtTrfTxInf>")],
        re.search(r"<CdtTrfTxInf>.*?</CdtTrfTxInf>", text, re.S),
        "</FIToFICstmrCdtTrf></Document>",
    )
    assert one is not None
    path = tmp_path / "large.xml"
    count = 20_000
    with path.open("w") as out:
        out.write(head)
        for i in range(count):
            out.write(one.group().replace("0d6f1c2b7e10", f"{i:012d}"))
        out.write(tail)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    seen = lines = 0
    for batch in open_source(load_feed("pacs008"), path, key=KEY, batch_rows=1000):
        assert batch.quarantine.num_rows == 0
        seen += batch.events.num_rows
        lines = max(lines, int(batch.lines[-1]))
    assert seen == count
    assert lines > count
    assert (
        resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 250_000
    )  # KiB; the tree would be 600 MB
    path.write_bytes(path.read_bytes()[: -len(tail) - 10])
    events, quarantine = read(path, "pacs008")
    assert len(events) == count - 1
    assert [q["reason"] for q in quarantine] == ["bad_xml"]


def test_the_three_messages_of_tazama_are_joined() -> None:
    events, quarantine = read(SAMPLES / "tazama.ndjson", "tazama")
    assert quarantine == []
    order, transfer, report = events
    assert (order["event_id"], order["status"], order["lat"]) == ("order:e2e-1", "pending", -26.2041)
    assert (transfer["event_id"], transfer["amount_minor"], transfer["currency"]) == ("e2e-1", 125_050, "ZAR")
    assert (transfer["payer"], transfer["payee"]) == ("banka:+27-700000001", "bankb:+27-700000002")
    assert (report["kind"], report["status"], report["related_event_id"]) == (
        "authorization",
        "settled",
        "e2e-1",
    )


def test_amounts_beyond_a_float_keep_their_digits() -> None:
    text = sample("tazama.ndjson").splitlines()[1].replace("1250.50", "50431891779910.91", 1)
    (event, *_), _ = decode("tazama", text.replace("50431891779910.91", "9007199254740.93"))
    assert event["amount_minor"] == 900_719_925_474_093
    _, (refused,) = decode("tazama", text)
    assert refused["reason"] == "amount_bound"
    assert "50431891779910.91" in str(refused["raw"])


@pytest.mark.shared
@pytest.mark.parametrize(
    ("feed", "file", "count"),
    [
        ("pacs008", "rtp-pacs008.xml", 1),
        ("pain001", "pain.001.001.03-usd.xml", 1),
        ("pain001", "pain.001.001.03-sepa.xml", 1),
        ("pain001", "pain.001.001.03-iso-example.xml", 3),
        ("pain001", "pain.001.001.08.xml", 1),
        ("pacs002", "rtp-pacs002.ACTC.xml", 1),
        ("pacs002", "rtp-pacs002.RJCT.xml", 1),
        ("pacs002", "fednow-pacs002.xml", 1),
        ("pacs002", "pacs.002.001.11-min.xml", 0),
    ],
)
def test_public_samples(feed: str, file: str, count: int) -> None:
    path = PUBLIC / "iso20022" / "samples" / file
    if not path.is_file():
        pytest.skip(f"public sample {file} is not beside the repository")
    events, quarantine = read(path, feed)
    assert (len(events), len(quarantine)) == (count, 0 if count else 1)
    assert (events, []) == (decode(feed, path.read_bytes())[0], [])


@pytest.mark.shared
def test_public_samples_of_tazama() -> None:
    folder = PUBLIC / "tazama" / "samples"
    if not folder.is_dir():
        pytest.skip("the public samples of Tazama are not beside the repository")
    events, quarantine = decode("tazama", *(p.read_bytes() for p in sorted(folder.glob("pa*.json"))))
    assert [e["kind"] for e in events] == ["authorization", "transfer", "transfer"]
    assert [e["amount_minor"] for e in events] == [0, 3_102_089, 3_102_089]
    assert [q["reason"] for q in quarantine] == ["unknown_value"]  # pain.013


def test_paths() -> None:
    assert parse_path("a/b | ../c/@d|/e*") == (
        FieldPath(("a", "b")),
        FieldPath(("c",), 1, "d"),
        FieldPath(("e",), -1, every=True),
    )
    for wrong in ("", "a//b", "a/../b", "@", "a b", "a[1]", "//a"):
        with pytest.raises(ValueError, match="is no path"):
            parse_path(wrong)
