"""Directories of rules to one `Plan`, all errors at once.

A pack is a directory of ``*.yaml`` rule files, at most one folder deep (``<pack>/<rule-id>.yaml``), with
``derived.yaml``, ``lists/`` and ``detectors/`` beside them; what it lacks of these comes from the packs
that ship. Owns finding the files and the order of reading; never runs a rule.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from txmon.errors import ConfigError, RuleError, RuleErrors, SourceLocation
from txmon.model.currencies import EXPONENTS
from txmon.rules.columns import columns
from txmon.rules.complete import check_complete
from txmon.rules.derived import TABLES, DerivedColumns, read_derived
from txmon.rules.detectors import read_detector
from txmon.rules.fields import content_hash
from txmon.rules.ir import Detector, Plan, Rule, RuleList
from txmon.rules.lists import read_list
from txmon.rules.planner import features, levels
from txmon.rules.rulefile import SCORED, Header, RuleFile, read_header, read_rule
from txmon.rules.scope import Names
from txmon.rules.yamlnode import YamlNode, read_yaml

NOT_RULES = frozenset({"pack.yaml", "derived.yaml"})
NOT_PACKS = frozenset({"lists", "detectors"})
MAX_FILES = 5_000


def default_pack() -> Path:
    """Return the directory of the packs that ship: beside the code, or inside the installed package."""
    here = Path(__file__).resolve().parent.parent
    beside = here.parent / "rules"
    return beside if (beside / "derived.yaml").is_file() else here / "_data" / "rules"


@dataclass
class Pack:
    """Everything read from the directories, scored or not."""

    plan: Plan
    rules: tuple[Rule, ...]  # of every status, by id
    derived: DerivedColumns
    files: tuple[RuleFile, ...] = field(repr=False, default=())


def load_pack(
    dirs: Path | str | Sequence[Path | str] | None = None,
    *,
    base_currency: str = "EUR",
    entity_tz: str | None = None,
    strict: bool = False,
    default: Path | None = None,
) -> Plan:
    """Load, check and plan the rules of `dirs` (the packs that ship if None).

    `default` is where derived columns, lists and detectors come from that `dirs` lack; the packs that ship
    if None.

    Raises:
        RuleErrors: every error of every file, in order of file, line and column.
        ConfigError: a directory does not exist, or the base currency is unknown.
    """
    return read_pack(
        dirs, base_currency=base_currency, entity_tz=entity_tz, strict=strict, default=default
    ).plan


def read_pack(
    dirs: Path | str | Sequence[Path | str] | None = None,
    *,
    base_currency: str = "EUR",
    entity_tz: str | None = None,
    strict: bool = False,
    default: Path | None = None,
) -> Pack:
    """Like `load_pack`, with the rules that are not scored and the docs of derived columns."""
    if base_currency not in EXPONENTS:
        raise ConfigError(f"base currency '{base_currency}' is not an ISO 4217 code; write EUR, USD, ...")
    roots = [default_pack()] if dirs is None else [Path(d) for d in _listed(dirs)]
    for root in roots:
        if not root.is_dir():
            raise ConfigError(f"rules directory {root} does not exist")
    reader = _Reader(roots, EXPONENTS[base_currency], default or default_pack())
    pack = reader.read(base_currency, entity_tz)
    if strict:
        check_complete(pack.files, pack.derived.columns, roots, reader.errors)
    if reader.errors:
        raise RuleErrors(_unique(reader.errors))
    return pack


def _listed(dirs: Path | str | Sequence[Path | str]) -> Sequence[Path | str]:
    return [dirs] if isinstance(dirs, Path | str) else dirs


def _unique(errors: Sequence[RuleError]) -> list[RuleError]:
    return list(dict.fromkeys(errors))


def shown_path(path: Path) -> str:
    """Path as an error shows it: relative to the working directory where it lies below it."""
    try:
        return path.resolve().relative_to(Path.cwd()).as_posix()
    except ValueError:
        return str(path)


class _Reader:
    """Reads the files of some directories, keeping every error."""

    def __init__(self, roots: Sequence[Path], money_scale: int, default: Path) -> None:
        self._roots = roots
        self._scale = money_scale
        self.errors: list[RuleError] = []
        inherits = default.is_dir() and not any(root.resolve() == default.resolve() for root in roots)
        self._sources = [default, *roots] if inherits else list(roots)

    def read(self, base_currency: str, entity_tz: str | None) -> Pack:
        lists = self._lists()
        names = Names({on: columns(on) for on in TABLES}, frozenset(lists))
        derived_files = [root / "derived.yaml" for root in self._sources]
        derived = read_derived(
            [(p, shown_path(p)) for p in derived_files if p.is_file()], names, self._scale, self.errors
        )
        known = {on: {**columns(on), **derived.units(on)} for on in TABLES}
        opened = self._open_rules()
        headers = [header for _, header in opened]
        names = Names(
            known,
            frozenset(lists),
            frozenset(path.stem for path in self._detector_files()),
            {h.id: h.on for h in headers if h.status in SCORED},
            {h.id: h.status for h in headers if h.status not in SCORED},
        )
        detectors = self._detectors(names)
        files = [
            found
            for root, header in opened
            if (found := read_rule(root, _stem(root), names, self._scale, self.errors)) is not None
        ]
        files.sort(key=lambda f: f.rule.id)
        rules = tuple(f.rule for f in files)
        scored = [rule for rule in rules if rule.status in SCORED]
        ordered = levels(scored, self.errors)
        flat = [rule for level in ordered for rule in level]
        plan = Plan(
            levels=ordered,
            features=features(flat, detectors),
            derived=derived.columns,
            detectors=detectors,
            lists=lists,
            money_scale=self._scale,
            base_currency=base_currency,
            entity_tz=entity_tz,
            pack_hash=_pack_hash(rules, derived, detectors, lists, [base_currency, entity_tz]),
        )
        return Pack(plan, rules, derived, tuple(files))

    def _lists(self) -> dict[str, RuleList]:
        found: dict[str, RuleList] = {}
        for path in self._below("lists"):
            read = read_list(path, shown_path(path), self.errors)
            if read is not None:
                found[read.name] = read
        return dict(sorted(found.items()))

    def _below(self, folder: str) -> list[Path]:
        """Files of a folder in each source; a later source's file replaces one of the same name."""
        found: dict[str, Path] = {}
        for root in self._sources:
            for path in sorted((root / folder).glob("*.yaml")) if (root / folder).is_dir() else []:
                found[path.name] = path
        return [found[name] for name in sorted(found)]

    def _detector_files(self) -> list[Path]:
        return self._below("detectors")

    def _detectors(self, names: Names) -> tuple[Detector, ...]:
        found = [
            read_detector(path, shown_path(path), names, self._scale, self.errors)
            for path in self._detector_files()
        ]
        return tuple(d for d in found if d is not None)

    def _open_rules(self) -> list[tuple[YamlNode, Header]]:
        """Read every rule file as YAML; an id that appears twice is reported at the second."""
        opened: list[tuple[YamlNode, Header]] = []
        first: dict[str, str] = {}
        for path in self._rule_files():
            root, problems = read_yaml(path, shown_path(path))
            self.errors.extend(problems)
            if root is None:
                continue
            header = read_header(root, path.stem)
            if header.id in first:
                node = root.index.get("id", root)
                self.errors.append(node.error(f"rule '{header.id}' exists already in {first[header.id]}"))
                continue
            first[header.id] = shown_path(path)
            opened.append((root, header))
        return opened

    def _rule_files(self) -> list[Path]:
        found: list[Path] = []
        for root in self._roots:
            below: list[Path] = []
            for path in sorted([*root.glob("*.y*ml"), *root.glob("*/*.y*ml")]):
                if path.name in NOT_RULES or path.parent.name in NOT_PACKS:
                    continue
                if path.suffix != ".yaml":
                    self.errors.append(
                        RuleError("rule files end in .yaml; rename it", SourceLocation(shown_path(path)))
                    )
                    continue
                below.append(path)
            if not below:
                where = SourceLocation(shown_path(root))
                self.errors.append(RuleError("no rule file (<rule-id>.yaml) in this directory", where))
            found += below
        if len(found) > MAX_FILES:
            raise ConfigError(f"{len(found):,} rule files; at most {MAX_FILES:,} can be loaded")
        return found


def _stem(root: YamlNode) -> str:
    return os.path.splitext(os.path.basename(root.document.path))[0]


def _pack_hash(
    rules: Sequence[Rule],
    derived: DerivedColumns,
    detectors: Sequence[Detector],
    lists: Mapping[str, RuleList],
    settings: list[str | None],
) -> str:
    """Hash of everything that decides an outcome."""
    return content_hash(
        {
            "rules": {rule.id: rule.content_hash for rule in rules},
            "derived": derived.content_hash,
            "detectors": {d.id: d.content_hash for d in detectors},
            "lists": {name: found.content_hash for name, found in lists.items()},
            "settings": settings,
        }
    )
