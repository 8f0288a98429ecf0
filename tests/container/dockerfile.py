"""Reads a Dockerfile and its .dockerignore: what an engine would be told to do, stage by stage.

Knows the instructions and forms that this repository uses, and refuses every other, so that nothing is passed
over in silence. Executes nothing.
"""

from __future__ import annotations

import fnmatch
import json
import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

_VARIABLE = re.compile(r"\$(?:(\w+)|\{(\w+)(?::([+-])([^{}]*))?\})")
_KNOWN = frozenset(
    ("FROM", "ARG", "ENV", "LABEL", "RUN", "COPY", "WORKDIR", "VOLUME", "USER", "EXPOSE", "STOPSIGNAL", "HEALTHCHECK",
     "ENTRYPOINT", "CMD")
)  # fmt: skip


@dataclass(frozen=True)
class Step:
    """An instruction: its word, options, and the rest as it stands there."""

    word: str
    options: Mapping[str, str]
    rest: str
    line: int

    @property
    def exec_form(self) -> list[str] | None:
        """The words of ``["a", "b"]``, None where a shell would be asked."""
        text = self.rest.strip()
        return json.loads(text) if text.startswith("[") else None


@dataclass
class Stage:
    """A stage: where it begins, its name, its steps behind FROM."""

    base: str
    name: str
    steps: list[Step] = field(default_factory=list)


@dataclass(frozen=True)
class Dockerfile:
    """Build arguments that stand before the first stage, and the stages."""

    arguments: list[Step]
    stages: list[Stage]


def expand(text: str, values: Mapping[str, str]) -> str:
    """Replace ``$X``, ``${X}``, ``${X:-default}`` and ``${X:+instead}``; an unknown name is empty."""

    def found(match: re.Match[str]) -> str:
        value = values.get(match[1] or match[2], "")
        if match[3] == "-":
            return value or match[4]
        if match[3] == "+":
            return match[4] if value else ""
        return value

    return _VARIABLE.sub(found, text)


def pairs(text: str, values: Mapping[str, str]) -> dict[str, str]:
    """Read ``NAME=value NAME="value"`` as ENV, LABEL and ARG have it."""
    out = {}
    for word in shlex.split(text):
        name, _, value = word.partition("=")
        out[name] = expand(value, values)
    return out


def read(path: Path) -> Dockerfile:
    """Read a Dockerfile."""
    arguments: list[Step] = []
    stages: list[Stage] = []
    for step in _steps(path.read_text(encoding="utf-8")):
        assert step.word in _KNOWN, f"line {step.line}: {step.word} is not known to the replay"
        if step.word == "FROM":
            base, _, name = step.rest.partition(" AS ")
            stages.append(Stage(base.strip(), name.strip()))
        elif stages:
            stages[-1].steps.append(step)
        else:
            assert step.word == "ARG", f"line {step.line}: only ARG may stand before FROM"
            arguments.append(step)
    return Dockerfile(arguments, stages)


def _steps(text: str) -> Iterator[Step]:
    held, first = "", 0
    for number, line in enumerate(text.splitlines(), 1):
        if line.lstrip().startswith("#") or (not line.strip() and not held):
            continue
        first = first if held else number
        held += line.rstrip()
        if held.endswith("\\"):
            held = held[:-1] + " "
            continue
        word, _, rest = held.strip().partition(" ")
        options = {}
        while match := re.match(r"\s*--([a-z-]+)=(\S+)", rest):
            options[match[1]] = match[2]
            rest = rest[match.end() :]
        yield Step(word.upper(), options, rest.strip(), first)
        held = ""
    assert not held, "the last line is continued"


def context(root: Path) -> set[str]:
    """Return the files below `root`, as relative paths, that .dockerignore leaves to a build."""
    rules = [
        (line.removeprefix("!").strip("/"), line.startswith("!"))
        for line in (root / ".dockerignore").read_text(encoding="utf-8").splitlines()
        if line.strip() and not line.startswith("#")
    ]
    tops = {r.split("/")[0] for r, kept in rules if kept}
    found = set()
    for top in tops:
        place = root / top
        for file in [place] if place.is_file() else place.rglob("*"):
            name = file.relative_to(root).as_posix()
            if file.is_file() and _kept(name, rules):
                found.add(name)
    return found


def _kept(name: str, rules: list[tuple[str, bool]]) -> bool:
    kept = True
    for pattern, keeps in rules:  # the last one that fits decides
        if any(_fits(part, pattern) for part in _and_parents(name)):
            kept = keeps
    return kept


def _and_parents(name: str) -> list[str]:
    return [name, *(str(p) for p in PurePosixPath(name).parents if str(p) != ".")]


def _fits(name: str, pattern: str) -> bool:
    if pattern.startswith("**/"):
        return fnmatch.fnmatchcase(name.split("/")[-1], pattern[3:])
    wanted, parts = pattern.split("/"), name.split("/")
    return len(wanted) == len(parts) and all(
        fnmatch.fnmatchcase(p, w) for p, w in zip(parts, wanted, strict=True)
    )
