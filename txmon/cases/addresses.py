"""Addresses of the web as evidence, without being one: a keyed hash, and where it was reported.

The hash tells whether two cases name the same address, and leads nobody there. Host names are read in lower
case, as every browser does; nothing else is changed. Owns the hash; asks no server.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import sqlalchemy as sa

from txmon.cases.rows import told
from txmon.errors import InputError
from txmon.model.keys import PanKey
from txmon.model.webtext import ADDRESS, DOTS
from txmon.store import Tx
from txmon.store.identity import Principal

_PURPOSE = b"txmon-web-address-1:"  # so that a hash of an address never is the token of a card


def hashed(url: str, key: PanKey) -> str:
    """Return the keyed hash of an address, ``url_<key id>_<40 hex digits>``.

    Raises:
        InputError: it is no address.
    """
    try:
        parts = urlsplit(url.strip().replace("hxxp", "http", 1))
        host = (parts.hostname or "").rstrip(".")
    except ValueError:
        host = ""
    if not host:
        raise InputError("give the whole address, https://...")
    try:
        port = f":{parts.port}" if parts.port is not None else ""
    except ValueError:
        raise InputError("the address has a port that is none; give it as it was seen") from None
    query = f"?{parts.query}" if parts.query else ""
    form = f"{parts.scheme.lower()}://{host}{port}{parts.path or '/'}{query}"
    digest = hmac.digest(key.secret, _PURPOSE + form.encode(), "sha256").hex()
    return f"url_{key.id}_{digest[:40]}"


def masked(value: Any, key: PanKey | None) -> Any:
    """Return a value with each address of the web in its texts as a keyed hash; without a key, a mark."""
    if isinstance(value, str):
        return ADDRESS.sub(lambda match: _mark(match[0], key), value)
    if isinstance(value, Mapping):
        return {name: masked(each, key) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [masked(each, key) for each in value]
    return value


def _mark(address: str, key: PanKey | None) -> str:
    if key is None:
        return "[address of the web]"
    plain = DOTS.sub(".", address).rstrip(".,;:!?)]}")
    whole = re.sub(r"^(?:h\*\*p|hxxp|http)(s?)\s?:\s?//\s?", r"http\1://", plain, flags=re.IGNORECASE)
    try:
        return hashed(whole if "://" in whole else f"https://{whole}", key)
    except InputError:  # nothing that a browser would open
        return "[address of the web]"


def keep(tx: Tx, who: Principal, row: sa.RowMapping, url: str, hotline: str | None, key: PanKey) -> str:
    """Note the keyed hash of an address in the log of a case; returns it.

    Raises:
        FourEyes: a service. InputError: no address.
    """
    who.require_person()
    made = hashed(url, key)
    told(tx, who, "case.address", row["case_id"], address=made, hotline=hotline)
    return made
