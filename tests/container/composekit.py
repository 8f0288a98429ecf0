"""compose.yaml as an engine would read it: merged, with the values of a .env filled in."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import yaml
from imagekit import ROOT
from typer.core import TyperGroup

from txmon.cli import command_line

DOTENV = {"TXMON_ENTITY": "north", "TXMON_BASE_CURRENCY": "EUR"}
_VARIABLE = re.compile(r"\$(?:(\$)|\{(\w+)(?::([-?])([^{}]*))?\})")


def interpolated(text: str, values: Mapping[str, str]) -> str:
    """Fill in ``${X}``, ``${X:-default}`` and ``${X:?why}`` as Compose does; ``$$`` is a dollar."""

    def found(match: re.Match[str]) -> str:
        if match[1]:
            return "$"
        value = values.get(match[2], "")
        if not value and match[3] == "?":
            raise KeyError(f"{match[2]}: {match[4]}")
        return value or (match[4] if match[3] == "-" else "")

    return _VARIABLE.sub(found, text)


def variables() -> set[str]:
    """Names that compose.yaml takes from .env."""
    return {m[2] for m in _VARIABLE.finditer((ROOT / "compose.yaml").read_text()) if m[2]}


@cache
def compose() -> dict[str, Any]:
    """The file with the two values that a newcomer must give."""
    return _filled(yaml.safe_load((ROOT / "compose.yaml").read_text()), DOTENV)


def _filled(value: Any, values: Mapping[str, str]) -> Any:
    if isinstance(value, dict):
        return {key: _filled(each, values) for key, each in value.items()}
    if isinstance(value, list):
        return [_filled(each, values) for each in value]
    return interpolated(value, values) if isinstance(value, str) else value


def services() -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = compose()["services"]
    return found


def of_txmon() -> dict[str, dict[str, Any]]:
    """The services that run this image."""
    return {name: s for name, s in services().items() if s["image"].startswith("txmon:")}


def parsed(words: Sequence[str]) -> dict[str, Any]:
    """Read a command as the real command line does, without running it; its options and arguments.

    Raises:
        click.UsageError: the command line does not know it.
    """
    command: Any = command_line(words)
    left = list(words)
    while isinstance(command, TyperGroup):
        name, *left = left
        found = command.get_command(command.context_class(command), name)
        assert found is not None, f"no command {name!r} in `txmon {shlex.join(words)}`"
        command = found
    return dict(command.make_context(command.name, left).params)


def documented() -> list[tuple[str, list[str]]]:
    """Commands that docs/container.md runs in a service of txmon: the service and the words."""
    text = (ROOT / "docs" / "container.md").read_text(encoding="utf-8").replace("\n", " \n")
    found = re.findall(
        r"docker compose run --rm(?: -v \S+)? (txmon(?:-stream)?|keyring)((?: [^#`\n]+)?(?:\n[a-z]+`)?)", text
    )
    return [(name, shlex.split(words.replace("`", ""))) for name, words in found]
