"""What must never leave the service: card numbers anywhere, and reasons to who may not know them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from apikit import CRITICAL, THREE, Api, opened
from cardhunt import COUNT, card_numbers, found_in, rows
from servicekit import pay

from txmon.pipeline.warehousing import Warehousing
from txmon.store import journal
from txmon.store.warehouse import Warehouse

_AT_ONCE = 500
JSON = {"content-type": "application/json"}


def bodies(api: Api, key: str, events: list[bytes]) -> list[str]:
    """Send events some at a time, and one alone between; returns every body that came back."""
    found = []
    for at in range(0, len(events), _AT_ONCE):
        part = events[at : at + _AT_ONCE]
        answer = api.post("/v1/events", key, content=b"[" + b",".join(part[:-1]) + b"]", headers=JSON)
        found += [answer.text, str(answer.headers)]
        found.append(api.post("/v1/events", key, content=part[-1], headers=JSON).text)
    return found


@pytest.mark.slow
def test_ten_thousand_card_numbers_leave_no_trace(tmp_path: Path) -> None:
    numbers = card_numbers(COUNT)
    events = [json.dumps(row, ensure_ascii=i % 2 == 0).encode() for i, row in enumerate(rows(numbers))]
    with opened(tmp_path, auth_failures=1_000) as api:
        texts = bodies(api, api.worker("ingest"), events)
        for number in numbers[:50]:  # and where no event is expected at all
            texts.append(api.get(f"/v1/alerts/{number}", api.person("analyst"), purpose=number).text)
            texts.append(api.post("/v1/events", number, content=b"{}", headers=JSON).text)
            texts.append(api.post("/v1/events?feed=" + number, api.worker("ingest"), content=b"{}").text)
            texts.append(
                api.post("/v1/events", api.worker("ingest"), content=b'{"a": ' + number.encode()).text
            )
        service = api.service
        assert service.store.marks.quarantine > COUNT // 5
        texts += [service.metrics.render()[0].decode(), repr(service.doors.log.lines)]  # type: ignore[attr-defined]
        texts += [
            str(e.document if isinstance(e.payload, bytes) else e.table.to_pylist())
            for e in journal.read(service.store)
        ]
        keeper = Warehousing(service.store, tmp_path / "warehouse", service.metrics, service.doors.log)
        keeper._keep_up()
        keeper._close()
        with Warehouse.open(tmp_path / "warehouse") as warehouse, warehouse.read() as cursor:
            texts.append(str(cursor.sql("select * from events").fetchall()))
    texts += [path.read_bytes().decode("latin-1") for path in tmp_path.rglob("*") if path.is_file()]
    assert found_in(texts, numbers) == []
    assert any("pan_" in text for text in texts)


@pytest.mark.slow
def test_ten_thousand_answers_to_a_pipeline_name_no_reason(tmp_path: Path) -> None:
    events = [
        pay(f"e{i}", i, payer=f"a{i % 400}", amount="950.00" if i % 7 == 0 else "9.00") for i in range(10_000)
    ]
    with opened(tmp_path) as api:
        key = api.worker("ingest")
        texts = bodies(api, key, events)
        texts.append(api.get("/v1/alerts?limit=100", key).text)
        told: list[dict[str, Any]] = json.loads(texts[0])["results"]
        assert {row["recommendation"] for row in told} == {"allow", "review"}
        assert {row["reason_code"] for row in told} <= {"none", "review_needed"}
        plan = api.service.config.plan
        words = {rule.id for rule in plan.rules} | {rule.typology for rule in plan.rules} | set(plan.lists)
        words |= {THREE["explain"].split()[-1], CRITICAL["typology"], "explanation", "rule"}
        for text in texts:
            assert not [word for word in words if f'"{word}' in text]
