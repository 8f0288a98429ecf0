"""The vault of reports: a database of its own, encrypted, with its own roles, log, sequence and keys.

    vault = Vault.open(file, key_file, clock=clock, random_bytes=random_bytes)
    office = Office(vault, ...)        what people do with reports
    vault.keep(...); vault.kept(...)   copies that outlive the retention of the main store

Nothing outside this package learns whether a report exists: it writes no row of the main store, no log line
and no metric. What it reads of the main store leaves no trace there.
"""

from txmon.vault.copies import Item
from txmon.vault.vault import Vault

__all__ = ["Item", "Vault"]
