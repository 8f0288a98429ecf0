"""Planted scenarios, one teller for each rule id of the catalogue, a module for each kind of conduct.

Their ranges come from the sources named in comments (keys of the domain notes: SEED, F20, FT21, ...),
never from the shipped rules; amounts in euros unless said otherwise, currencies of the sources taken as
they stand. A mark "ours" is a choice of our own above the catalogue's start value. Importing this package
fills `txmon.simulate.catalogue.SCENARIOS`.
"""

from txmon.simulate.scenarios import (
    abuse_images,
    adverts,
    children,
    combined,
    credits,
    evasion,
    families,
    general,
    labour,
    laundering,
    lodging,
    merchants,
    mules,
    takings,
    testing,
    unusual,
    upkeep,
)

__all__ = [
    "abuse_images",
    "adverts",
    "children",
    "combined",
    "credits",
    "evasion",
    "families",
    "general",
    "labour",
    "laundering",
    "lodging",
    "merchants",
    "mules",
    "takings",
    "testing",
    "unusual",
    "upkeep",
]
