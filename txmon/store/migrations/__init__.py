"""Revisions of the store's tables, run by `txmon.store.migrate`."""
