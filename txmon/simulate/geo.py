"""Places of the simulated world and the offset of their clocks.

Owns the table of cities (rounded coordinates of real cities, three invented jurisdictions XA, XB, XC that
stand for an operator's high-risk list) and the simulated calendar. Never says anything about people.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

# a Monday shortly before the end of a month, so that the first pay-days fall into the first week
START = datetime(2025, 3, 24, tzinfo=UTC)
START_US = int(START.timestamp()) * 1_000_000
DAY_US = 86_400_000_000
HOUR_US = 3_600_000_000


@dataclass(frozen=True)
class City:
    """A place: name, country, IANA zone, degrees north and east."""

    name: str
    country: str
    tz: str
    lat: float
    lon: float


_HOME = (
    ("Berlin", "DE", "Europe/Berlin", 52.5, 13.4),
    ("Lyon", "FR", "Europe/Paris", 45.8, 4.8),
    ("Hamburg", "DE", "Europe/Berlin", 53.6, 10.0),
    ("Utrecht", "NL", "Europe/Amsterdam", 52.1, 5.1),
    ("Vienna", "AT", "Europe/Vienna", 48.2, 16.4),
    ("Munich", "DE", "Europe/Berlin", 48.1, 11.6),
    ("Antwerp", "BE", "Europe/Brussels", 51.2, 4.4),
    ("Paris", "FR", "Europe/Paris", 48.9, 2.4),
    ("Porto", "PT", "Europe/Lisbon", 41.1, -8.6),
    ("Turin", "IT", "Europe/Rome", 45.1, 7.7),
    ("Helsinki", "FI", "Europe/Helsinki", 60.2, 24.9),
    ("Cork", "IE", "Europe/Dublin", 51.9, -8.5),
    ("Cologne", "DE", "Europe/Berlin", 50.9, 7.0),
    ("Athens", "GR", "Europe/Athens", 38.0, 23.7),
    ("Valencia", "ES", "Europe/Madrid", 39.5, -0.4),
    ("Graz", "AT", "Europe/Vienna", 47.1, 15.4),
    ("Rotterdam", "NL", "Europe/Amsterdam", 51.9, 4.5),
    ("Lisbon", "PT", "Europe/Lisbon", 38.7, -9.1),
    ("Milan", "IT", "Europe/Rome", 45.5, 9.2),
    ("Seville", "ES", "Europe/Madrid", 37.4, -6.0),
    ("Nantes", "FR", "Europe/Paris", 47.2, -1.6),
    ("Leipzig", "DE", "Europe/Berlin", 51.3, 12.4),
    ("Tallinn", "EE", "Europe/Tallinn", 59.4, 24.8),
    ("Ljubljana", "SI", "Europe/Ljubljana", 46.1, 14.5),
)
_ABROAD = (
    ("Bucharest", "RO", "Europe/Bucharest", 44.4, 26.1),
    ("Sofia", "BG", "Europe/Sofia", 42.7, 23.3),
    ("Riga", "LV", "Europe/Riga", 56.9, 24.1),
    ("Warsaw", "PL", "Europe/Warsaw", 52.2, 21.0),
    ("Arvale", "XA", "Etc/GMT-8", 14.0, 121.0),
    ("Belmora", "XB", "Etc/GMT-7", 15.0, 100.0),
    ("Corvina", "XC", "Etc/GMT+5", 5.0, -74.0),
)
HOME_CITIES: tuple[City, ...] = tuple(City(*row) for row in _HOME)
CITIES: tuple[City, ...] = HOME_CITIES + tuple(City(*row) for row in _ABROAD)
COUNTRIES: tuple[str, ...] = tuple(dict.fromkeys(c.country for c in CITIES))
ZONES: tuple[str, ...] = tuple(dict.fromkeys(c.tz for c in CITIES))
HIGH_RISK: tuple[str, ...] = ("XA", "XB", "XC")

CITY_COUNTRY = np.array([COUNTRIES.index(c.country) for c in CITIES], np.int32)
CITY_ZONE = np.array([ZONES.index(c.tz) for c in CITIES], np.int32)
CITY_LAT = np.array([c.lat for c in CITIES])
CITY_LON = np.array([c.lon for c in CITIES])


def _offset_s(instant: datetime, zone: ZoneInfo) -> int:
    offset = instant.astimezone(zone).utcoffset()
    return 0 if offset is None else int(offset.total_seconds())


def city_in(country: str) -> int:
    """Return the first city of a country, as an index into `CITIES`."""
    return next(i for i, city in enumerate(CITIES) if city.country == country)


class Calendar:
    """Days of the simulation: what the local clock says, and which day of the month it is."""

    def __init__(self, days: int) -> None:
        self.days = days
        noons = [START + timedelta(days=d, hours=12) for d in range(days + 1)]
        zones = [ZoneInfo(z) for z in ZONES]
        rows = [[_offset_s(noon, zone) for noon in noons] for zone in zones]
        self._offset_us = np.array(rows, np.int64) * 1_000_000
        self.day_of_month = [n.day for n in noons]

    def midnight_us(self, day: int, city: int) -> int:
        """UTC microseconds of local midnight of `day` (may lie outside the span) in `city`."""
        inside = min(max(day, 0), self.days)
        return START_US + day * DAY_US - int(self._offset_us[CITY_ZONE[city], inside])

    def midnights_us(self, day: int, cities: npt.NDArray[np.int32]) -> npt.NDArray[np.int64]:
        """`midnight_us` for many cities."""
        local: npt.NDArray[np.int64] = START_US + day * DAY_US - self._offset_us[CITY_ZONE[cities], day]
        return local
