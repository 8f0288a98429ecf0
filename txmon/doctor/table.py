"""The table of checks, in the order in which they are made and shown. Owns nothing else."""

from __future__ import annotations

from txmon.doctor import clocks, keys, machine, reach, rules, stored
from txmon.doctor.report import Check

CHECKS: tuple[Check, ...] = (
    Check("settings.values", "every setting can be read, and they go together", keys.settings),
    Check("settings.production", "what production would refuse", keys.production),
    Check("disk.free", "free bytes against `TXMON_DISK_FREE_BYTES`", machine.disk_free),
    Check("disk.inodes", "whether more files can be made", machine.disk_inodes),
    Check("disk.filesystem", "file system of the store: local, lasting, writable", machine.disk_filesystem),
    Check("disk.fsync", "fsync works, and how long it takes", machine.disk_fsync),
    Check("clock.wall", "the wall clock goes like the monotonic one", clocks.wall),
    Check("clock.zones", "time-zone data, the entity's zone", clocks.zones),
    Check("clock.journal", "the clock against the journal's newest row", clocks.against_journal, True),
    Check("clock.database", "the clock against the database server's", clocks.against_database, True),
    Check("keys.card", "key of card tokens: there, closed, the one that the store knows", keys.card_key),
    Check("keys.files", "files of secrets: there, closed to others, not empty", keys.secret_files),
    Check("keys.certificate", "end of the service's own certificate", keys.certificate),
    Check("keys.api", "API keys that expire soon or were never exchanged", keys.api_keys, True),
    Check("keys.four_eyes", "two people can decide", keys.four_eyes, True),
    Check("rules.files", "rule files load", rules.files),
    Check("rules.lock", "rules are as `lock.json` pins them", rules.lock),
    Check("rules.in_force", "the files against the config in force", rules.in_force),
    Check("rules.lists", "lists that are empty or expired", rules.lists),
    Check("rules.rates", "age of the newest exchange rate of each currency", rules.rates),
    Check("store.opens", "the store opens, in this program's revision", stored.opens),
    Check("store.writer", "who holds the writer's lock", stored.writer, True),
    Check("store.heads", "log of heads: can be written, agrees with the journal", stored.heads, True),
    Check("store.erasures", "file of erasures can be written", stored.erasures, True),
    Check("store.start", "age of the newest snapshot, how long a start takes", stored.start, True),
    Check("store.warehouse", "how far the warehouse is behind", stored.warehouse, True),
    Check("reach.database", "the database server answers, by TLS or not", reach.database, True),
    Check("reach.source", "the broker has the topic that is read", reach.source),
    Check("reach.alerts", "the broker has the topic that alerts go to", reach.alerts),
    Check("reach.issuer", "the issuer of tokens and its keys", reach.issuer),
    Check("reach.webhooks", "receivers of webhooks, as far as a TLS handshake", reach.webhooks, True),
    Check("reach.service", "the running service is ready, and its warehouse's mark", reach.service, True),
    Check("machine.kernels", "compiled code is there and can be kept", machine.kernels),
    Check("machine.files", "limit of open files", machine.open_files),
    Check("machine.memory", "memory against what the newest snapshot takes", machine.memory),
    Check("machine.processors", "number of processors", machine.processors),
)


def reference() -> str:
    """Return the table in Markdown."""
    lines = ["| check | looks at |", "| --- | --- |"]
    return "\n".join([*lines, *(f"| `{check.name}` | {check.asks} |" for check in CHECKS)]) + "\n"
