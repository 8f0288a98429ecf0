"""One place that decides how kernels are compiled: no Python objects, no fast-math, cached on disk.

Never holds kernels itself. Fast-math stays off: it would change the last bits of averages, and the SQL
side must get the same ones.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba

F = TypeVar("F", bound=Callable[..., Any])


def kernel(function: F) -> F:
    """Compile `function` for whole batches; releases the interpreter lock while it runs."""
    return cast(F, numba.njit(cache=True, nogil=True, fastmath=False)(function))


def inline(function: F) -> F:
    """Compile a small helper that is inlined into the kernels that call it."""
    return cast(F, numba.njit(cache=True, nogil=True, fastmath=False, inline="never")(function))
