"""Thresholds in another currency: the rates of that time are in the bundle, and only they give the hit."""

from __future__ import annotations

from pathlib import Path

from evidencekit import (
    PUBLIC,
    alert_with,
    bundle_of,
    files_in,
    reading,
    signed_again,
    stock_duckdb,
    table_in,
    unpacked,
    with_table,
    write_zip,
)
from servicekit import Bench, pay, send, simple_rules

from txmon.evidence.check import check

RULE = {
    "id": "large",
    "subject": "payer",
    "score": 0.7,
    "params": {"limit": {"value": 10, "currency": "USD"}},
    "let": {
        "n": "count(*) filter (where amount >= :limit) over payer_3d",
        "most": "max(amount) over payer_3d",
    },
    "when": "n >= 2",
}


def test_rates_as_they_were(tmp_path: Path) -> None:
    rates = tmp_path / "rates.csv"
    rates.write_text("date,currency,base,rate\n2026-01-02,USD,EUR,0.9\n2026-01-05,USD,EUR,0.95\n")
    bench = Bench(tmp_path, simple_rules(tmp_path, RULE), str(tmp_path / "store"))
    service = bench.open(rates_file=rates)
    send(service, [
        pay("a", 0, amount="9.60"), pay("b", 1, amount="9.40"),  # USD 10 are EUR 9.50
        pay("c", 2, amount="10.00", currency="USD"), pay("d", 3, amount="9.99", currency="USD"),
    ])  # fmt: skip
    assert service.close()
    with reading(tmp_path / "store") as store:
        made = bundle_of(store, alert_with(store, "large"), tmp_path / "b.zip", "court")
    assert made.derived == made.hits > 0
    files = files_in(made.path)
    assert table_in(files, "rates.parquet").num_rows == 2
    assert files["as-it-was/rates.csv"] == rates.read_bytes()
    assert stock_duckdb(unpacked(made.path, tmp_path / "files"))[0] == "PASS"
    assert check(made.path, PUBLIC).ok

    def dearer(rows: list[dict[str, object]]) -> None:
        for row in rows:
            row["rate"] = type(row["rate"])("1.2")

    other = signed_again(with_table(files, "rates.parquet", dearer))
    path = write_zip(tmp_path / "other.zip", other)
    verdict, said = stock_duckdb(unpacked(path, tmp_path / "other"))
    assert verdict == "FAIL", said
    assert "'a hit', 'no hit'" in said
    assert not check(path, PUBLIC).ok
