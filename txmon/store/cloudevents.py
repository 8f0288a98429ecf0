"""The envelope in which messages leave: CloudEvents 1.0, structured JSON.

Owns the envelope; what is in it, and who may see that, is the caller's part. Reads no table.
"""

from __future__ import annotations

from collections.abc import Mapping

import orjson

from txmon.clock import rfc3339

CONTENT_TYPE = "application/cloudevents+json"


def cloud_event(
    *, id: str, source: str, type: str, time_us: int, subject: str, data: Mapping[str, object]
) -> bytes:
    """Return an envelope as JSON.

    Args:
        id: with `source` the identity of the event; the same on every repetition.
        source: URI reference of the sender, ``/txmon/default``.
        type: reverse-DNS or dotted name of what happened, ``txmon.alert.opened``.
        time_us: when, microseconds UTC.
        subject: what it is about, an alert's id.
        data: the content; only what the receiver's scope may see.
    """
    return orjson.dumps(
        {
            "specversion": "1.0",
            "id": id,
            "source": source,
            "type": type,
            "time": rfc3339(time_us),
            "subject": subject,
            "datacontenttype": "application/json",
            "data": data,
        }
    )
