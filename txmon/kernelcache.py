"""Where compiled kernels are looked for on a machine that lets nobody write there, such as a container.

numba passes over a folder that it cannot write, and ends the program when it finds none that it can. With
``NUMBA_CACHE_LOCATOR_CLASSES=txmon.kernelcache.ReadOnlyCache`` it takes what lies in `NUMBA_CACHE_DIR`, and
what is missing there is compiled at every start and kept nowhere. Owns this choice; the folder's name is
`txmon.jit`'s, and so is going on where a kernel cannot be kept.
"""

from __future__ import annotations

from contextlib import suppress

from numba.core.caching import UserProvidedCacheLocator


class ReadOnlyCache(UserProvidedCacheLocator):  # type: ignore[misc]  # numba has no types
    """The folder that `txmon.jit` names, writable or not."""

    def ensure_cache_path(self) -> None:
        """Make the folder if that is possible."""
        with suppress(OSError):
            super().ensure_cache_path()
