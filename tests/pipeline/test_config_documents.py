"""A config that the journal kept makes the same plan again, whatever is installed by then."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from txkit import write_pack

from txmon.engine.engine import Limits
from txmon.errors import ConfigError, StoreCorrupt
from txmon.pipeline.config import Config, load_config, read_config

RULE = {
    "id": "many",
    "subject": "payer",
    "let": {"n": "count(*) filter (where moved) over payer_1d"},
    "when": "n >= 3 and merchant in list('watch')",
}
WATCH = {"name": "watch", "version": 1, "doc": "d", "provenance": "made up", "entries": ["m1"]}
RATES = "date,currency,base,rate\n2026-01-05,USD,EUR,0.9\n"


def config(folder: Path, **more: object) -> Config:
    """A config of one rule with a list and a rate."""
    rates = folder / "rates.csv"
    folder.mkdir(parents=True, exist_ok=True)
    rates.write_text(RATES, encoding="utf-8")
    pack = write_pack(folder / "p", RULE | more, list_watch=WATCH)
    return read_config(
        [pack], base_currency="EUR", entity_tz="Europe/Madrid", rates=rates, limits=Limits(7, 30)
    )


def test_a_document_makes_the_same_plan_when_its_files_are_gone(tmp_path: Path) -> None:
    made = config(tmp_path / "a")
    for path in sorted((tmp_path / "a").rglob("*"), reverse=True):
        path.unlink() if path.is_file() else path.rmdir()
    again = load_config(made.document)
    assert again.plan.pack_hash == made.plan.pack_hash
    assert (again.id, again.essence, again.limits) == (made.id, made.essence, Limits(7, 30))
    assert again.rates.fx_minor("USD", 100, [20458]).to_pylist() == [90]  # 2026-01-05


def test_what_decides_outcomes_changes_the_essence_and_versions_do_not(tmp_path: Path) -> None:
    made, other = config(tmp_path / "a"), config(tmp_path / "b", version=2)
    assert made.essence != other.essence
    content = json.loads(made.document)
    content["versions"]["txmon"] = "9.9.9"
    newer = load_config(json.dumps(content).encode())
    assert newer.id != made.id
    assert newer.essence == made.essence


@pytest.mark.parametrize(
    "document", [b"", b"[]", b"{}", b'{"format": 99}', b"\xff", b'{"format": 1}'], ids=repr
)
def test_a_damaged_document_is_refused(document: bytes) -> None:
    with pytest.raises(StoreCorrupt):
        load_config(document)


def test_a_document_cannot_write_outside_its_folder(tmp_path: Path) -> None:
    content = json.loads(config(tmp_path).document)
    content["packs"][0]["../../escaped.yaml"] = "id: x"
    with pytest.raises(StoreCorrupt, match="outside"):
        load_config(json.dumps(content).encode())


def test_unreadable_files_are_named(tmp_path: Path) -> None:
    pack = write_pack(tmp_path / "p", RULE, list_watch=WATCH)
    with pytest.raises(ConfigError, match=r"none\.csv"):
        read_config([pack], base_currency="EUR", rates=tmp_path / "none.csv")
