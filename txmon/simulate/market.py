"""What ordinary people buy: categories of merchants, how often, for how much, at which hours.

Owns this one table; the numbers are plausible household figures of our own, they come from no data set.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Category:
    """A kind of merchant.

    `monthly` is the number of ordinary purchases a person makes there in 30 days, `median` the median
    ticket in euros, `spread` the sigma of its logarithm, `cap` the largest ticket in euros; `opens` and
    `closes` are local hours. `local` merchants exist in every city, others sell to everybody. `held`
    purchases are authorised first and captured later.
    """

    key: str
    mcc: str
    monthly: float
    median: float
    spread: float
    cap: float
    opens: int
    closes: int
    channel: str = "pos"
    local: bool = True
    held: bool = False
    adults: bool = False


CATEGORIES: tuple[Category, ...] = (
    Category("grocery", "5411", 6.5, 27, 0.6, 190, 7, 21),
    Category("bakery", "5462", 2.2, 6, 0.4, 25, 7, 18),
    Category("restaurant", "5812", 1.6, 28, 0.5, 160, 11, 23),
    Category("fast_food", "5814", 1.3, 11, 0.3, 35, 10, 23),
    Category("delivery", "5814", 0.7, 21, 0.3, 60, 11, 23, channel="app"),
    Category("transit", "4111", 1.6, 4, 0.6, 40, 0, 24),
    Category("fuel", "5541", 1.1, 52, 0.3, 110, 0, 24, held=True),
    Category("taxi", "4121", 0.5, 15, 0.4, 60, 0, 24, channel="app"),
    Category("parking", "7523", 0.4, 4, 0.5, 24, 0, 24),
    Category("pharmacy", "5912", 0.7, 14, 0.5, 80, 8, 20),
    Category("clothing", "5651", 0.6, 44, 0.6, 300, 10, 20),
    Category("beauty", "7230", 0.4, 32, 0.4, 120, 9, 19),
    Category("household", "5200", 0.4, 36, 0.7, 400, 8, 20),
    Category("doctor", "8011", 0.2, 45, 0.6, 300, 8, 18),
    Category("cinema", "7832", 0.4, 19, 0.3, 60, 13, 23),
    Category("books", "5942", 0.3, 18, 0.4, 80, 9, 20),
    Category("lodging", "7011", 0.0, 95, 0.3, 260, 0, 24, held=True),
    Category("online", "5999", 1.7, 34, 0.7, 500, 0, 24, "ecom", local=False, held=True),
    Category("electronics", "5732", 0.2, 120, 0.8, 1200, 0, 24, "ecom", local=False, held=True),
    Category("games", "5816", 0.4, 12, 0.5, 70, 0, 24, "ecom", local=False),
    Category("software", "5734", 0.2, 14, 0.5, 90, 0, 24, "ecom", local=False),
    Category("airline", "4511", 0.0, 130, 0.4, 480, 0, 24, "ecom", local=False),
    Category("dating", "7273", 0.05, 17, 0.3, 40, 0, 24, "ecom", local=False, adults=True),
    Category("adverts", "7311", 0.06, 7.5, 0.5, 40, 0, 24, "ecom", local=False, adults=True),
    Category("lottery", "7995", 0.15, 13, 0.5, 60, 0, 24, "ecom", local=False, adults=True),
    Category("vpn", "4816", 0.04, 8, 0.3, 15, 0, 24, "ecom", local=False),
    Category("gift_card", "5947", 0.08, 26, 0.4, 60, 0, 24, "ecom", local=False),
    Category("utility", "4900", 0.0, 78, 0.3, 200, 0, 24, "recurring", local=False),
    Category("telecom", "4814", 0.0, 32, 0.3, 80, 0, 24, "recurring", local=False),
    Category("insurance", "6300", 0.0, 46, 0.4, 160, 0, 24, "recurring", local=False),
    Category("streaming", "4899", 0.0, 12, 0.2, 25, 0, 24, "recurring", local=False),
    Category("lender", "6012", 0.0, 250, 0.4, 600, 0, 24, "recurring", local=False),
)
INDEX: dict[str, int] = {c.key: i for i, c in enumerate(CATEGORIES)}
MONTHLY = np.array([c.monthly for c in CATEGORIES])
MEDIAN_LOG = np.log(np.array([c.median for c in CATEGORIES]) * 100)
SPREAD = np.array([c.spread for c in CATEGORIES])
CAP = np.array([c.cap * 100 for c in CATEGORIES])
OPENS = np.array([c.opens for c in CATEGORIES])
CLOSES = np.array([c.closes for c in CATEGORIES])
LOCAL = np.array([c.local for c in CATEGORIES])
HELD = np.array([c.held for c in CATEGORIES])
ADULTS = np.array([c.adults for c in CATEGORIES])

# merchants of fixed name, whose names stand on operators' lists: category -> names
NAMED: dict[str, tuple[str, ...]] = {
    "vpn": ("vpn_01", "vpn_02", "vpn_03"),
    "gift_card": ("giftcard_01", "giftcard_02", "giftcard_03"),
}
# merchants that only scenarios and look-alikes use: (name, mcc, country)
LISTED: tuple[tuple[str, str, str], ...] = (
    ("adsite_01", "7311", "NL"),
    ("adsite_02", "7311", "EE"),
    ("adsite_03", "7311", "SI"),
    ("adsite_04", "7311", "IE"),
    ("adsite_05", "7311", "BG"),
    ("adsite_premium_01", "7311", "NL"),
    ("adsite_premium_02", "7311", "EE"),
    ("adsite_premium_03", "7311", "SI"),
    ("cam_01", "5967", "RO"),
    ("cam_02", "5967", "RO"),
    ("cam_03", "5967", "EE"),
)
VASPS: tuple[str, ...] = ("vasp_01", "vasp_02", "vasp_03")
