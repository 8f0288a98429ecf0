"""No bundle passes on a picture, nor, in a case about children, an address of the web: in no profile."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from evidencekit import PUBLIC, alerts_of, bundle_of, files_in, reading, stock_duckdb, table_in, unpacked
from servicekit import Bench, pay, send, simple_rules

from txmon.evidence.check import check
from txmon.evidence.redact import PROFILES
from txmon.evidence.sealing import Seal
from txmon.model.pictures import DUTY
from txmon.model.webtext import has_address
from txmon.store import Store
from txmon.store.casetables import case_alerts, cases
from txmon.streams import nested, values

PHOTO = base64.b64encode(b"\xff\xd8\xff\xe0\0\x10JFIF\0" + bytes(range(200))).decode()
ADDRESSES = (
    "https://bad.example/room?id=7", "hxxps://bad.example/a", "www.bad.example", "bad[.]example/room", "bad-site.com",
    "abcdefghij234567.onion/x", "http : //bad.example/", "h**p://bad.example",
)  # fmt: skip
PLAIN = (
    "clerk@bank.com",
    "and/or",
    "12.50/month",
    "Dr. Who",
    "e.g. this",
    "a.txt",
    "2026-01-05T12:00:00Z",
    "account.opened",
)


def store_with(folder: Path, monkeypatch: pytest.MonkeyPatch, *, restriction: str | None) -> Path:
    """A store of before pictures were refused, with an alert in a case."""
    service = Bench(folder, simple_rules(folder), str(folder / "store")).open()
    with monkeypatch.context() as patch:
        for module in (values, nested):
            patch.setattr(module.pictures, "SHORTEST", 1 << 20)
        texts: list[dict[str, Any]] = [
            {"memo": PHOTO}, {"descriptor": f"seen at {ADDRESSES[0]}"}, {"attributes": {"note": ADDRESSES[2], "photo": PHOTO}},
            {"memo": "rent"},
        ]  # fmt: skip
        send(service, [pay(f"e{i}", i, **more) for i, more in enumerate(texts)])

    def case(tx: Any) -> None:
        (alert,) = tx.conn.exec_driver_sql("select alert_id from alerts").scalars()
        row = {
            "case_id": "cas_1",
            "title": "x",
            "entity": "default",
            "mode": "live",
            "state": "open",
            "severity": "high",
        }
        row |= {
            "typologies": "[]",
            "protect": False,
            "restriction": restriction,
            "version": 1,
            "created_us": 0,
        }
        row |= {"created_by": "x", "changed_us": 0, "journal_seq": 1, "changed_seq": 1}
        tx.conn.execute(sa.insert(cases).values(row))
        tx.conn.execute(
            sa.insert(case_alerts).values(
                alert_id=alert, case_id="cas_1", added_us=0, added_by="x", journal_seq=1
            )
        )

    service.change(case).result(60)
    assert service.close()
    return folder / "store"


def told(files: dict[str, bytes]) -> str:
    """Everything that a bundle tells of events, but for the rules."""
    tables = [
        table_in(files, name).to_pylist()
        for name in ("events", "hits", "proofs")
        for name in (f"{name}.parquet",)
    ]
    names = ("events.csv", "features.csv", "alert.json", "custody.json", "summary.html", "manifest.json")
    return str(tables) + "".join(files[name].decode() for name in names)


@pytest.mark.parametrize("restriction", ["child_exploitation", None])
def test_no_profile_passes_it_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, restriction: str | None
) -> None:
    with reading(store_with(tmp_path, monkeypatch, restriction=restriction)) as store:
        (alert,) = alerts_of(store)
        for profile in PROFILES:
            _whole(store, alert, tmp_path / profile, restriction)


def _whole(store: Store, alert: str, folder: Path, restriction: str | None) -> None:
    folder.mkdir()
    made = bundle_of(store, alert, folder / "b.zip", folder.name)
    files = files_in(made.path)
    text = told(files)
    assert PHOTO[:40] not in text
    assert ("bad.example" in text) == (restriction is None and folder.name in ("internal", "police"))
    if folder.name in ("internal", "police"):
        assert DUTY in text
        assert ("url_" in text) == (restriction is not None)
        proofs = table_in(files, "proofs.parquet").to_pylist()
        closed = [row["ingest_seq"] for row in proofs if row["salt"] is None]
        assert len(closed) == (3 if restriction else 2)
    verdict, said = stock_duckdb(unpacked(made.path, folder / "files"))
    assert verdict == "PASS", said
    report = check(made.path, PUBLIC)
    assert report.ok, report.findings


def test_one_address_has_one_hash_and_leads_nowhere() -> None:
    seal = Seal(b"secret", addresses=True)
    assert seal.text(f"at {ADDRESSES[0]} twice") == seal.text(f"at {ADDRESSES[0]} twice")
    assert seal.text(ADDRESSES[0]) != Seal(b"other", addresses=True).text(ADDRESSES[0])
    for address in ADDRESSES:
        shown = seal.text(f"seen at {address} today")
        assert "bad" not in shown.replace("at ", ""), shown
        assert shown.startswith("seen at url_"), shown
        assert has_address(json.dumps({"note": address}))
    for text in PLAIN:
        assert seal.text(text) == text
