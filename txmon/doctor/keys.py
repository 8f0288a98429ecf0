"""Checks of settings, key files, API keys, and whether four eyes can be met. Never shows a secret's content.

Owns what counts as soon. Keys and people are named by their ids only.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from cryptography import x509

from txmon.clock import rfc3339
from txmon.doctor.ground import Ground
from txmon.doctor.report import FAIL, OK, SKIPPED, WARN, Finding
from txmon.model.keys import load_key
from txmon.settingfaults import PREFIX, SECRET_FILES, production_faults
from txmon.store.access import list_keys, list_people
from txmon.store.aliasuse import newest_keys
from txmon.store.links import list_links

_DAY_US = 86_400_000_000
_EPOCH = 719_163  # ordinal of 1970-01-01
_SOON_US = 14 * _DAY_US
_BROKERS = ("source_url", "alerts_url")


def settings(ground: Ground) -> Iterator[Finding]:
    """Name every fault of the settings."""
    for fault in ground.examined.faults:
        text, _, remedy = fault.partition("; ")
        yield Finding(FAIL, text, remedy or "correct it; docs/settings.md says what it takes")
    if not ground.examined.faults:
        count = len(ground.examined.given)
        yield Finding(OK, f"{count} set, the others at their defaults; {ground.settings.env}")


def production(ground: Ground) -> Iterator[Finding]:
    """Say what production would refuse, while it is not said that this is production."""
    if ground.settings.production:
        yield Finding(OK, "TXMON_ENV=production: what it refuses is among the settings' faults")
        return
    faults = production_faults(ground.settings, ground.examined.given)
    if not faults:
        yield Finding(WARN, "development, but production would start as it is", "set TXMON_ENV=production")
        return
    named = ", ".join(dict.fromkeys(fault.partition(":")[0] for fault in faults))
    yield Finding(
        WARN,
        f"development: unsafe defaults are taken; production would refuse {named}",
        "before real data: set TXMON_ENV=production and run this again, it names each remedy",
    )


def card_key(ground: Ground) -> Iterator[Finding]:
    """Read the key of card tokens, and compare it with the cards that the journal knows."""
    path = ground.key_file
    if not path.exists():
        status = FAIL if ground.settings.production else WARN
        text = f"there is no key of card tokens at {path}; a first start makes it"
        yield Finding(status, text, "run `txmon keys init`, and keep a copy apart from the store's backups")
        return
    key = load_key(path)
    yield from _owned("key of card tokens", path)
    if key.alias_until is not None and key.successor is not None:
        over = ground.clock.now_us() // _DAY_US >= key.alias_until.toordinal() - _EPOCH
        text = f"key {key.id} gives way to key {key.successor.id} on {key.alias_until}"
        yield Finding(WARN if over else OK, text, "run `txmon keys card retire`" if over else "")
    used = newest_keys(ground.store) if ground.store is not None else frozenset()
    known = {key.id} | ({key.successor.id} if key.successor is not None else set())
    if used and not used & known:
        text = f"key {key.id} is not the one that the store's cards are known by ({', '.join(sorted(used))})"
        yield Finding(FAIL, text, "bring the key file back: with another key every card is a new one")
    else:
        yield Finding(OK, f"key {key.id} in {path}")


def secret_files(ground: Ground) -> Iterator[Finding]:
    """Look at every file that holds a secret: there, not empty, readable by its owner alone."""
    count = 0
    for label, path in _secrets(ground):
        count += 1
        try:
            found = path.stat()
        except OSError as error:
            text = f"{label}: {path}: {error.strerror}"
            yield Finding(FAIL, text, "make the file or correct the path")
            continue
        if found.st_mode & 0o077:
            yield Finding(FAIL, f"{label}: {path} may be read by others", f"run `chmod 600 {path}`")
        elif found.st_size == 0:
            yield Finding(FAIL, f"{label}: {path} is empty", "write the secret into it")
        else:
            yield from _owned(label, path)
    yield Finding(OK, f"{count} files of secrets were looked at")


def _secrets(ground: Ground) -> Iterator[tuple[str, Path]]:
    s = ground.settings
    for name in SECRET_FILES:
        path: Path | None = getattr(s, name)
        if path is not None and name != "key_file":  # which has a check of its own
            yield f"{PREFIX}{name.upper()}", path
    for name in _BROKERS:
        url = getattr(s, name)
        for text in parse_qs(urlsplit(url).query).get("config", []) if url else ():
            yield f"{PREFIX}{name.upper()}, config", Path(text)


def _owned(label: str, path: Path) -> Iterator[Finding]:
    owner = path.stat().st_uid
    if owner not in (os.geteuid(), 0):
        text = f"{label}: {path} belongs to user {owner}, this is {os.geteuid()}"
        yield Finding(WARN, text, "let the service run as its owner, and this command too")


def certificate(ground: Ground) -> Iterator[Finding]:
    """Look when the service's own certificate ends."""
    path = ground.settings.tls_cert_file
    if path is None:
        yield Finding(SKIPPED, "TXMON_TLS_CERT_FILE is not set")
        return
    try:
        found = x509.load_pem_x509_certificates(path.read_bytes())[0]
    except ValueError:
        yield Finding(FAIL, f"{path} holds no certificate", "give a chain in PEM, the service's own first")
        return
    end = found.not_valid_after_utc
    left_us = int(end.timestamp() * 1e6) - ground.clock.now_us()
    text = f"{path} ends {end:%Y-%m-%d}"
    if left_us <= 0:
        yield Finding(FAIL, text, "renew it, and start the service again")
    elif left_us < _SOON_US:
        yield Finding(WARN, text, "renew it, and start the service again")
    else:
        yield Finding(OK, text)


def api_keys(ground: Ground) -> Iterator[Finding]:
    """Name keys that expire soon, have expired, or were never exchanged."""
    now = ground.clock.now_us()
    with ground.opened.read() as conn:
        found = list_keys(conn)
    working = [key for key in found if key.state == "active" and (key.expires_us or now + 1) > now]
    for key in found:
        if key.state not in ("active", "enrol") or key.expires_us is None:
            continue
        if key.replaced_by is not None:  # the overlap of a rotation
            continue
        if key.expires_us <= now:
            used = key.last_used_us is not None and key.last_used_us > now - _SOON_US
            if used:
                text = f"key {key.id} ({key.prefix}), used lately, expired {rfc3339(key.expires_us)}"
                yield Finding(WARN, text, "make another with `txmon keys new`, or revoke it")
        elif key.expires_us - now < _SOON_US:
            text = f"key {key.id} ({key.prefix}) expires {rfc3339(key.expires_us)}"
            yield Finding(WARN, text, "its owner makes the next one before: `txmon keys rotate`")
    waiting = sum(key.state == "enrol" for key in found)
    if waiting:
        text = f"{waiting} keys were never exchanged by their owners"
        yield Finding(WARN, text, "let each owner run `txmon keys rotate`, or revoke them: `txmon keys list`")
    yield Finding(OK, f"{len(working)} keys work")


def four_eyes(ground: Ground) -> Iterator[Finding]:
    """Look whether two human beings can decide: on keys (administrators), on alerts and rules (approvers)."""
    now = ground.clock.now_us()
    with ground.opened.read() as conn:
        people = [person for person in list_people(conn) if person.state == "active"]
        keys, links = list_keys(conn), list_links(conn)
    inside = {k.person_id for k in keys if k.state == "active" and (k.expires_us or now + 1) > now}
    inside |= {link.person_id for link in links if link.state == "active" and ground.settings.oidc_issuer}
    able = [person for person in people if person.id in inside]
    if not people:
        yield Finding(WARN, "nobody is named yet", 'run `txmon keys bootstrap "Ana=analyst" "Ben=approver"`')
        return
    faults = []
    admins = {p.id for p in able if "admin" in p.roles}
    if len(admins) < 2:
        faults.append(f"{len(admins)} administrators can sign in: nobody can approve what one of them asks")
    approvers = {p.id for p in able if "approver" in p.roles}
    authors = {p.id for p in able if p.roles & {"analyst", "approver", "safeguarding"}}
    if not approvers or len(authors | approvers) < 2:
        faults.append(
            f"{len(approvers)} approvers and {len(authors)} authors can sign in: no decision of two people"
        )
    for fault in faults:
        yield Finding(FAIL, fault, "add people and roles: `txmon keys person add`, `txmon keys new`")
    if not faults:
        yield Finding(
            OK, f"{len(able)} people can sign in, {len(admins)} administer, {len(approvers)} approve"
        )
