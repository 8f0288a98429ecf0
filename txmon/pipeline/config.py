"""What decides outcomes besides events, as one document that the journal keeps.

Rules, derived columns, lists and detectors as the files they came from, exchange rates, base currency,
zone, bounds, and the versions of txmon and of the time-zone data. `load` makes the same plan of the
document, on any machine and with any packs installed. Owns the document; never a store.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from txmon.engine.engine import Limits
from txmon.errors import ConfigError, StoreCorrupt
from txmon.model.rates import Rates, load_rates
from txmon.rules.ir import Plan, Rule
from txmon.rules.pack import default_pack, load_pack

FORMAT = 1


@dataclass(frozen=True)
class Config:
    """A plan with everything it was made of."""

    document: bytes
    plan: Plan = field(compare=False, repr=False)
    rates: Rates = field(compare=False, repr=False)
    limits: Limits = field(compare=False)

    @cached_property
    def id(self) -> str:
        """SHA-256 of the document, hexadecimal."""
        return hashlib.sha256(self.document).hexdigest()

    @cached_property
    def rules(self) -> Mapping[str, Rule]:
        """The scored rules by id."""
        return {rule.id: rule for rule in self.plan.rules}

    @cached_property
    def essence(self) -> str:
        """SHA-256 of the document without its versions: what a saved state must have been made with."""
        content = json.loads(self.document)
        del content["versions"]
        return hashlib.sha256(_plain(content)).hexdigest()

    @property
    def versions(self) -> dict[str, str]:
        """Versions of txmon and of the time-zone data that the document names."""
        return dict(json.loads(self.document)["versions"])


def read_config(
    packs: Sequence[Path] | None,
    *,
    base_currency: str,
    entity_tz: str | None = None,
    rates: Path | None = None,
    limits: Limits | None = None,
) -> Config:
    """Read packs and rates from files.

    Args:
        packs: folders of rules; those that ship if None.

    Raises:
        RuleErrors: every error of the packs. ConfigError: a folder or the rates cannot be read.
    """
    limits = limits or Limits()
    roots = [default_pack()] if packs is None else list(packs)
    plan = load_pack(roots, base_currency=base_currency, entity_tz=entity_tz)
    content = {
        "format": FORMAT,
        "versions": versions(),
        "base_currency": base_currency,
        "entity_tz": entity_tz,
        "limits": {
            "max_lateness_days": limits.max_lateness_days,
            "dedup_horizon_days": limits.dedup_horizon_days,
        },
        "rates": None if rates is None else _text(rates),
        "packs": [_files(root) for root in roots],
        "default": _files(default_pack(), shared_only=True),
    }
    return Config(_plain(content), plan, load_rates(rates, base_currency), limits)


def load_config(document: bytes) -> Config:
    """Make the plan of a document that the journal kept.

    Raises:
        StoreCorrupt: the document is none, or of another format.
    """
    try:
        content: dict[str, Any] = json.loads(document)
        form = content["format"]
    except (ValueError, KeyError, TypeError) as error:
        raise StoreCorrupt("a config row of the journal holds no config") from error
    if form != FORMAT:
        raise StoreCorrupt(f"a config row has format {form}, this txmon reads {FORMAT}; use a newer one")
    missing = sorted({"default", "packs", "rates", "base_currency", "entity_tz", "limits"} - content.keys())
    if missing:
        raise StoreCorrupt(f"a config row of the journal lacks {', '.join(missing)}")
    with tempfile.TemporaryDirectory(prefix="txmon-config-") as name:
        folder = Path(name)
        default = _write(folder / "default", content["default"])
        roots = [_write(folder / f"pack{i}", files) for i, files in enumerate(content["packs"])]
        rates = None
        if content["rates"] is not None:
            rates = folder / "rates.csv"
            rates.write_text(content["rates"], encoding="utf-8")
        base = content["base_currency"]
        plan = load_pack(roots, base_currency=base, entity_tz=content["entity_tz"], default=default)
        return Config(document, plan, load_rates(rates, base), Limits(**content["limits"]))


def _plain(content: dict[str, Any]) -> bytes:
    return json.dumps(content, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode()


def versions() -> dict[str, str]:
    """Return the versions that may change an outcome."""
    return {name: importlib.metadata.version(name) for name in ("txmon", "tzdata")}


def _files(root: Path, *, shared_only: bool = False) -> dict[str, str]:
    """Return the files of a pack by their path below it; `shared_only`: without its rules."""
    patterns = ("derived.yaml", "lists/*.yaml", "detectors/*.yaml")
    found = {path for pattern in patterns for path in root.glob(pattern)}
    if not shared_only:
        found |= {*root.glob("*.y*ml"), *root.glob("*/*.y*ml")}
    return {path.relative_to(root).as_posix(): _text(path) for path in sorted(found)}


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} cannot be read: {error}; correct it or name another file") from error


def _write(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = folder / name
        if not path.resolve().is_relative_to(folder.resolve()):
            raise StoreCorrupt(f"a config row names a file outside its folder: {name!r}")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    folder.mkdir(parents=True, exist_ok=True)
    return folder
