"""Canonical events: the Arrow schema, profiles, money and identifiers. Never reads files of events."""
