"""What the views add to the rows: exact money, double entry, profiles as of a time."""

from __future__ import annotations

import random
from decimal import Decimal
from typing import Any

from txkit import DAY, HOUR, START_US, event, table
from warehousekit import add, day_of, decide, fill, journal_events, parquet_files, random_events, shown

from txmon.model.currencies import EXPONENTS
from txmon.model.profile import PROFILE_FIELDS
from txmon.model.schema import NEGATIVE_KINDS, VALUE_KINDS
from txmon.store import Store
from txmon.store.warehouse import Warehouse


def major(minor: int | None, currency: str | None) -> Decimal | None:
    return None if minor is None else Decimal(minor).scaleb(-EXPONENTS.get(currency or "", 2))


def test_money_is_exact_in_major_units(store: Store, warehouse: Warehouse) -> None:
    rows = [
        event(f"m{i}", START_US + i, amount=10**15 - i, currency=c, base_currency=c)
        for i, c in enumerate(["JPY", "EUR", "BHD", "CLF", "USD", "KRW"])
    ]
    rows.append(event("none", START_US, amount=None) | {"amount_base_minor": None})
    add(store, table([*rows, *random_events(random.Random(1), 200, 7).to_pylist()]))
    warehouse.catch_up(store)
    found = shown(
        warehouse,
        "select kind, status, auth_is_final, amount_minor, currency, amount_base_minor, base_currency, amount, "
        "amount_original, signed_amount, moved from events",
    )
    for row in found:
        assert row["amount"] == major(row["amount_base_minor"], row["base_currency"])
        assert row["amount_original"] == major(row["amount_minor"], row["currency"])
        sign = -1 if row["kind"] in NEGATIVE_KINDS else 1
        assert row["signed_amount"] == (None if row["amount"] is None else sign * row["amount"])
        value = row["kind"] in VALUE_KINDS and (row["kind"] != "authorization" or row["auth_is_final"])
        assert row["moved"] is (value and row["status"] in (None, "approved", "settled"))
    (total,) = shown(warehouse, "select sum(amount) as s from events where base_currency = 'BHD'")
    assert total["s"] == sum(
        Decimal(r["amount_base_minor"]).scaleb(-3) for r in found if r["base_currency"] == "BHD"
    )


def test_legs_are_double_entry(store: Store, warehouse: Warehouse) -> None:
    fill(store, random.Random(2), 12)
    warehouse.catch_up(store)
    wanted = []
    for row in journal_events(store):
        if row["kind"] in VALUE_KINDS:
            sides = (("out", "payer", "payee"), ("in", "payee", "payer"))
            for place, (direction, account, counterparty) in enumerate(sides):
                if row[account] is not None:
                    wanted.append(
                        {
                            "leg_order": 2 * row["ingest_seq"] + place, "direction": direction,
                            "account": row[account], "counterparty": row[counterparty],
                            "account_country": row[f"{account}_country"], "event_id": row["event_id"],
                            "amount_minor": row["amount_minor"], "day": row["day"],
                        }
                    )  # fmt: skip
    columns = ", ".join(wanted[0])
    assert shown(warehouse, f"select {columns} from legs order by leg_order") == wanted
    (balance,) = shown(
        warehouse,
        "select sum(case direction when 'in' then amount_minor::hugeint else -amount_minor::hugeint end) as b "
        "from legs where payer is not null and payee is not null",
    )
    assert balance["b"] == 0


def model_of_profiles(rows: list[dict[str, Any]]) -> dict[tuple[str, ...], list[dict[str, Any]]]:
    """Versions of every profile in order of time and arrival, each with the fields as they stand."""
    found: dict[tuple[str, ...], list[dict[str, Any]]] = {}
    for row in sorted(rows, key=lambda r: (r["event_time"], r["ingest_seq"])):
        subject = row["kind"].split(".")[0]
        if "." not in row["kind"] or subject == "device" or row[subject] is None:
            continue
        versions = found.setdefault((subject, row[subject], row["entity"], row["mode"]), [])
        values = dict(versions[-1]["values"]) if versions else {}
        attributes = row["attributes"] or {}
        for field in PROFILE_FIELDS:
            if field.entity != subject:
                continue
            if field.type == "time":
                new: Any = (
                    row["event_time"] if row["kind"] in ("account.opened", "merchant.onboarded") else None
                )
            else:
                new = row[field.column] if field.column else attributes.get(field.name)
            if new is not None and field.type == "bool":
                new = new.strip().lower() in ("true", "1", "yes")
            if new is not None and field.type == "int":
                new = int(new) if new.lstrip("-").isdigit() else None
            if new is not None:
                values[field.name] = new
        if subject == "account" and row["holders"] is not None:
            values["holders"] = row["holders"]
        versions.append({"from": row["event_time"], "values": values, "ingest_seq": row["ingest_seq"]})
    return found


def profile_events(draw: random.Random, count: int) -> list[dict[str, Any]]:
    made = []
    for i in range(count):
        time = START_US + draw.randrange(20) * HOUR
        subject = draw.choice(["account", "merchant", "party", "device"])
        kind = {"account": draw.choice(["account.opened", "account.updated"]), "merchant": draw.choice(["merchant.onboarded", "merchant.scanned"]), "party": "party.updated", "device": "device.seen"}[subject]  # fmt: skip
        attributes = [
            pair
            for pair in (
                ("home_country", draw.choice(["DE", "NL"])), ("minor", draw.choice(["yes", " TRUE", "no"])),
                ("opens_hour", draw.choice(["8", "eight", "-1"])), ("licence", "charity"), ("other", "x"),
            )
            if draw.random() < 0.5
        ]  # fmt: skip
        more: dict[str, Any] = {"tz": draw.choice([None, "Asia/Tokyo"]), "attributes": attributes}
        if subject == "account" and draw.random() < 0.5:
            holder = {"party": f"P{i}", "role": "owner", "valid_from": None, "valid_to": START_US}
            more["holders"] = [holder]
        about = {"account" if subject == "device" else subject: f"{subject}-{draw.randrange(3)}"}
        mode = draw.choice(["live", "test"])
        made.append(event(f"f{i}", time, kind=kind, amount=None, mode=mode, **about, **more))
    return made


def test_profiles_are_ranges_as_of_a_time(store: Store, warehouse: Warehouse) -> None:
    draw = random.Random(3)
    for _ in range(4):
        add(store, table(profile_events(draw, 60)))
        warehouse.catch_up(store)
    model = model_of_profiles(journal_events(store))
    names = [*{f.name: None for f in PROFILE_FIELDS}, "holders"]
    seen = 0
    for (subject, who, entity, mode), versions in model.items():
        rows = shown(
            warehouse,
            "select * from profiles where subject_type = ? and subject_id = ? and entity = ? and mode = ? "
            "order by valid_from",
            subject, who, entity, mode,
        )  # fmt: skip
        # of versions of one time only the last one is ever in force
        last = {v["from"]: v for v in versions}
        assert [r["valid_from"] for r in rows] == list(last)
        assert [r["valid_to"] for r in rows] == [*list(last)[1:], None]
        for row, version in zip(rows, last.values(), strict=True):
            assert {n: row[n] for n in names if row[n] is not None} == version["values"]
            assert row["ingest_seq"] == version["ingest_seq"]
            seen += 1
    assert seen == shown(warehouse, "select count(*) as n from profiles")[0]["n"] > 20


def test_a_day_is_read_from_its_files_alone(store: Store, warehouse: Warehouse) -> None:
    fill(store, random.Random(4), 10, days=5)
    warehouse.catch_up(store)
    files = parquet_files(warehouse.folder)
    day = day_of(files[0])
    with warehouse.read() as cursor:
        plan = cursor.execute(f"explain select sum(amount) from events where day = date '{day}'").fetchall()
    assert f"Scanning Files: 1/{len(files)}" in plan[0][1]


def test_alerts_have_lists_and_states(store: Store, warehouse: Warehouse) -> None:
    add(store, random_events(random.Random(5), 30, 0, people=3), every=3)
    with store.read() as conn:
        alert_id = conn.exec_driver_sql("select min(alert_id) from alerts").scalar_one()
    decide(store, alert_id)
    warehouse.catch_up(store)
    rows = shown(
        warehouse,
        "select alert_id, typologies[1] as first, state, h.rule_id, e.event_id = h.event_id as same "
        "from alerts join alert_hits using (alert_id) join hits h using (hit_id) "
        "join events e on e.ingest_seq = h.ingest_seq where alert_id = ? limit 1",
        alert_id,
    )
    assert rows == [
        {"alert_id": alert_id, "first": "other", "state": "in_review", "rule_id": "fee", "same": True}
    ]


def test_dates_reach_back_before_1970(store: Store, warehouse: Warehouse) -> None:
    add(store, table([event("old", -1), event("older", -DAY - 1), event("epoch", 0)]))
    warehouse.catch_up(store)
    found = shown(warehouse, "select event_id, day::varchar as day from events order by event_time")
    assert [(r["event_id"], r["day"]) for r in found] == [
        ("older", "1969-12-30"),
        ("old", "1969-12-31"),
        ("epoch", "1970-01-01"),
    ]
