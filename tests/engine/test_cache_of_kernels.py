"""Compiled kernels are kept for the next process where they can be, and go on where they cannot."""

from __future__ import annotations

import numba
import numpy as np
import pytest

from txmon.jit import kernel


@pytest.mark.skipif(bool(numba.config.DISABLE_JIT), reason="kernels are not compiled")
def test_a_cache_on_a_full_disk_stops_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("numba.core.caching.IndexDataCacheFile.save", full)

    @kernel
    def twice(values: np.ndarray) -> int:
        return int(2 * len(values))

    assert twice(np.zeros(3)) == 6
