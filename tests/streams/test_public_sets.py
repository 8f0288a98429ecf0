"""The public sets: every row an event, totals by currency and direction equal to the cent."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pyarrow as pa
import pytest
from feedkit import KEY

from txmon.streams import load_feed, open_source

DATA = Path(__file__).parents[3] / "shared" / "data"
FILES = {
    "fdh": "fdh_card_tx",
    "sparkov": "sparkov_card_tx",
    "amlsim": "amlsim_tx",
    "paysim": "paysim_tx",
    "tabformer": "tabformer_user0_card_tx",
    "berka": "berka_account_tx",
}
# per set: what tells the direction of a source row, and the same of an event
DIRECTIONS = {
    "fdh": ("'out'", "case when kind = 'payment' then 'out' end"),
    "sparkov": ("'out'", "case when kind = 'payment' then 'out' end"),
    "amlsim": ("tx_type", "upper(kind)"),
    "paysim": (
        "case when channel = 'CASH_IN' then 'in' else 'out' end || overdraft_refused",
        "case when payee like 'C%' and kind = 'cash_in' then 'in' else 'out' end"
        " || case status when 'declined' then 1 else 0 end",
    ),
    "tabformer": (
        "(amount < 0)::varchar || (coalesce(errors, '') <> '')",
        "(payer like 'merchant:%')::varchar || (status = 'declined')",
    ),
    "berka": (
        "case when direction = 'credit' then 'in' else 'out' end || account",
        "case when payee not like '%:%' then 'in' || payee else 'out' || payer end",
    ),
}
CURRENCY = {"fdh": "'EUR'", "sparkov": "'USD'", "paysim": "'EUR'"}


@pytest.mark.shared
@pytest.mark.parametrize("name", FILES)
def test_totals(name):
    path = DATA / f"{FILES[name]}.parquet"
    if not path.is_file():
        pytest.skip(f"public data set {path.name} is not beside the repository")
    events, refused = [], 0
    for batch in open_source(load_feed(name), path, key=KEY):
        refused += batch.quarantine.num_rows
        text = batch.events.select(
            ["event_id", "kind", "status", "currency", "payer", "payee", "amount_minor"]
        )
        events.append(
            text.cast(
                pa.schema(
                    [f if f.name == "amount_minor" else pa.field(f.name, pa.string()) for f in text.schema]
                )
            )
        )
        assert batch.events["base_currency"][0].as_py() == batch.events["currency"][0].as_py()
    assert refused == 0
    connection = duckdb.connect()
    connection.register("events", pa.concat_tables(events))
    theirs, ours = DIRECTIONS[name]
    currency = CURRENCY.get(name, "currency")
    want = connection.sql(
        f"select {currency}, {theirs}, count(*), sum(abs(cast(round(amount * 100) as hugeint)))"
        f" from '{path}' group by all order by all"
    ).fetchall()
    got = connection.sql(
        f"select currency, {ours}, count(*), sum(amount_minor) from events group by all order by all"
    ).fetchall()
    assert got == want
    assert connection.sql(
        f"select count(*) from events e join '{path}' s on e.event_id = s.event_id::varchar"
        " where e.amount_minor = abs(cast(round(s.amount * 100) as hugeint))"
    ).fetchall() == [(sum(w[2] for w in want),)]
