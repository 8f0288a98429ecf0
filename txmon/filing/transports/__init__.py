"""The kinds of transport: a name in the file of transports, and the module that carries the bytes.

A module has `Options`, a dataclass of what the file may say, each field with its meaning, and
`channel(options, tools)`. Owns the table.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from txmon.clock import Clock, Sleep
from txmon.filing.guarded import Channel

# kind -> the module that has it; loaded when the file names it
KINDS: dict[str, str] = {
    "filedrop": "txmon.filing.transports.filedrop",
    "goamlrest": "txmon.filing.transports.goamlrest",
}


@dataclass(frozen=True)
class Tools:
    """What a channel is handed: its name in the file, time, and a way to wait."""

    name: str
    clock: Clock
    sleep: Sleep


@dataclass(frozen=True)
class Kind:
    """A kind of transport."""

    options: type[Any]
    channel: Callable[[Any, Tools], Channel]


def kind(name: str) -> Kind:
    """Return a kind of the table."""
    module = import_module(KINDS[name])
    return Kind(module.Options, module.channel)
