"""What docs/operations.md tells an operator to type is what the commands take."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from txmon.cli import command_line

PAGE = (Path(__file__).parents[2] / "docs" / "operations.md").read_text(encoding="utf-8")
LINES = [
    line
    for block in re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)
    for line in block.splitlines()
    if line.startswith("txmon store")
]


def test_every_command_of_a_store_is_explained() -> None:
    store = command_line(["store"]).commands["store"]
    named = {shlex.split(line)[2] for line in LINES}
    assert named == set(store.commands)  # type: ignore[attr-defined]


@pytest.mark.parametrize("line", LINES)
def test_command_line(line: str) -> None:
    words = shlex.split(line)
    command = command_line(["store"]).commands["store"].commands[words[2]]  # type: ignore[attr-defined]
    context = command.make_context("txmon", words[3:], resilient_parsing=False)
    assert context.params["store"]


def test_every_option_on_the_page_is_one() -> None:
    options = {
        option
        for command in command_line(["store"]).commands["store"].commands.values()  # type: ignore[attr-defined]
        for parameter in command.params
        for option in (*parameter.opts, *parameter.secondary_opts)
    }
    assert set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", PAGE)) <= options
