"""Feeds: what a source sends becomes canonical events, or a quarantine row that says why not."""

from txmon.streams.consumer import Consumer, Message
from txmon.streams.decode import DecodedBatch, Decoder
from txmon.streams.feed import Feed
from txmon.streams.feedfile import load_feed, shipped_feeds
from txmon.streams.native import native_schema, write_native
from txmon.streams.quarantine import QUARANTINE, quarantine_rows
from txmon.streams.source import EVENTS_SCHEMA, FeedBatch, Source, open_source

__all__ = [
    "EVENTS_SCHEMA",
    "QUARANTINE",
    "Consumer",
    "DecodedBatch",
    "Decoder",
    "Feed",
    "FeedBatch",
    "Message",
    "Source",
    "load_feed",
    "native_schema",
    "open_source",
    "quarantine_rows",
    "shipped_feeds",
    "write_native",
]
