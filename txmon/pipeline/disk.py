"""Room on the disk of the store: events are refused before it is used up, not after.

Owns the measuring, at most once a second.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from txmon.clock import monotonic_s
from txmon.errors import NoRoom


class Disk:
    """The disk that holds a folder."""

    def __init__(self, folder: Path, least_free_bytes: int) -> None:
        self._folder, self._least = folder, least_free_bytes
        self._looked_s = -1e9
        self.free_bytes = 0

    @property
    def full(self) -> bool:
        """Whether less is free than must be."""
        self._look()
        return self.free_bytes < self._least

    def require(self) -> None:
        """Raise if there is too little room.

        Raises:
            NoRoom: less is free than the setting says.
        """
        if self.full:
            raise NoRoom(
                f"only {self.free_bytes >> 20} MiB are free where the store lies, "
                f"{self._least >> 20} MiB must be; make room",
                retry_after_s=30,
            )

    def _look(self) -> None:
        now = monotonic_s()
        if now - self._looked_s >= 1.0:
            self._looked_s = now
            place = self._folder if self._folder.exists() else self._folder.parent
            self.free_bytes = shutil.disk_usage(place).free
