"""One decorator for every compiled kernel of the detectors.

Owns the numba options (no interpreter lock while running, machine code cached on disk, IEEE arithmetic
without reordering, so that scores are the same in every run); it never holds state.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba

F = TypeVar("F", bound=Callable[..., Any])


def kernel(function: F) -> F:
    """Compile `function` on its first call; the signature stays as written."""
    return cast(F, numba.njit(nogil=True, cache=True, fastmath=False)(function))
