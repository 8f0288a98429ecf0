"""The door for filings: `send` hands one over, `outcome` asks what became of it, `acknowledgements` fetches.

    config = config.load(path, released)
    receipt = send(filing, config, clock)

Owns choosing the transport and putting it together; a transport cannot be had without its gate.
"""

from __future__ import annotations

from txmon.clock import Clock
from txmon.filing.config import Config, Route
from txmon.filing.errors import FilingRefused
from txmon.filing.filing import Filing, Receipt, Transport
from txmon.filing.gate import Gate
from txmon.filing.guarded import Acknowledgement, Channel, Guarded, Outcome, receipt_of
from txmon.filing.transports import Tools, kind


def send(filing: Filing, config: Config, clock: Clock) -> Receipt:
    """Hand over a filing by the transport of its jurisdiction and format, at most once.

    Raises:
        ConfigError: no transport takes it, or its settings are wrong. FilingRefused: it may not leave.
        FilingRejected: the authority does not take it. FilingFailed: not now, or it is not known.
    """
    return transport(config.route(filing.jurisdiction, filing.format), config, clock).send(filing)


def transport(route: Route, config: Config, clock: Clock) -> Transport:
    """Return a transport with its gate and its receipts."""
    gate = Gate(config.released, route.judged, clock)
    return Guarded(route.name, _channel(route, config, clock), gate, config.receipts, clock)


def settle(filing: Filing, config: Config, clock: Clock, reference: str | None) -> Receipt | None:
    """Say what became of a hand-over whose end nobody knew, as a person found out from the authority.

    Args:
        reference: under which the authority has it; null: it has it not, and it may be sent again.

    Raises:
        FilingRefused: nothing about it is unknown.
    """
    route = config.route(filing.jurisdiction, filing.format)
    with config.receipts.turn(filing) as turn:
        if not turn.begun:
            raise FilingRefused(
                "known", "no hand-over of this report is without an end; nothing is to be said"
            )
        if reference is None:
            turn.forget()
            return None
        return turn.end(receipt_of(filing, route.name, reference, clock))


def outcome(receipt: Receipt, config: Config, clock: Clock, content: bytes = b"") -> Outcome:
    """Ask what became of a filing; with its `content` the authority's errors are shown at their place.

    Raises:
        ConfigError: the transport is no more in the file. FilingFailed: it cannot be asked now.
    """
    return _channel(config.named(receipt.transport), config, clock).outcome(receipt, content)


def acknowledgements(config: Config, clock: Clock) -> list[Acknowledgement]:
    """Return the files that authorities left, whole ones only; they stay until `taken`.

    Raises:
        FilingFailed: a folder cannot be read now.
    """
    return [one for route in config.routes for one in _channel(route, config, clock).acknowledgements()]


def taken(one: Acknowledgement, config: Config, clock: Clock) -> None:
    """Put an acknowledgement aside, once it is kept elsewhere.

    Raises:
        FilingFailed: it cannot be moved now.
    """
    _channel(config.named(one.transport), config, clock).taken(one)


def _channel(route: Route, config: Config, clock: Clock) -> Channel:
    return kind(route.kind).channel(route.options, Tools(route.name, clock, config.sleep))
