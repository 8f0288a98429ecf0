"""The pipeline's decoders: one a sender, kept, so that each learns its source's columns once.

Owns which feed reads whose payloads; the pipeline knows of feeds only their names.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from txmon.model.aliases import Aliases
from txmon.model.keys import PanKey
from txmon.model.rates import Rates
from txmon.pipeline.work import Decoded, Refusal, Sender
from txmon.streams.decode import Decoder
from txmon.streams.feed import Feed
from txmon.streams.feedfile import load_feed
from txmon.streams.quarantine import quarantine_rows


class FeedIntake:
    """Decodes with the feeds that ship or that were named by file. Not for two threads at once."""

    def __init__(self, key: PanKey, rates: Rates, aliases: Aliases | None = None) -> None:
        """Make an intake; `aliases` are those of the store that the events go to, see `Tokeniser`."""
        self._key, self._rates, self._aliases = key, rates, aliases
        self._feeds: dict[str, Feed] = {}
        self._decoders: dict[tuple[str, str, str], Decoder] = {}

    def feed(self, name: str) -> Feed:
        """Return a feed by name or file.

        Raises:
            FeedError, ConfigError: there is none, or it is wrong.
        """
        found = self._feeds.get(name)
        if found is None:
            found = self._feeds[name] = load_feed(name)
        return found

    def decode(
        self, sender: Sender, payloads: Sequence[bytes], positions: np.ndarray | None = None
    ) -> Decoded:
        """Decode payloads; never raises for what they hold."""
        return self.decoder(sender).decode_payloads(payloads, positions)

    def decoder(self, sender: Sender) -> Decoder:
        """Return the decoder of a sender, the same one every time.

        Raises:
            FeedError, ConfigError: as `feed`.
        """
        named = (sender.feed, sender.entity, sender.mode)
        decoder = self._decoders.get(named)
        if decoder is None:
            feed = self.feed(sender.feed)
            decoder = Decoder(
                feed,
                self._key,
                self._rates,
                entity=sender.entity,
                mode=sender.mode,
                aliases=self._aliases,
            )
            self._decoders[named] = decoder
        return decoder

    def refuse(self, events: pa.Table, refusal: Refusal, sender: Sender, lines: np.ndarray) -> pa.Table:
        """Make quarantine rows of canonical events."""
        feed = self.feed(sender.feed).name
        return quarantine_rows(events, refusal.field, refusal.reason, refusal.message, feed=feed, lines=lines)
