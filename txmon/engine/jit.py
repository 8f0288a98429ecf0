"""One place that decides how kernels are compiled: no Python objects, no fast-math, cached on disk.

Never holds kernels itself. Fast-math stays off: it would change the last bits of averages, and the SQL
side must get the same ones. Window kernels are compiled without numba's reference counting: they are
handed all their arrays and allocate none, and counting references to them at every call of a helper
made them ten times slower (measured). `error_model="numpy"` drops the check for division by zero; the
kernels test their divisors.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba

F = TypeVar("F", bound=Callable[..., Any])


def kernel(function: F) -> F:
    """Compile `function` for whole batches; releases the interpreter lock while it runs."""
    compiled = numba.njit(cache=True, nogil=True, error_model="numpy", _nrt=False)(function)
    return cast(F, compiled)


def inline(function: F) -> F:
    """Compile a small helper for use by kernels; it must not allocate."""
    compiled = numba.njit(cache=True, nogil=True, error_model="numpy", _nrt=False, forceinline=True)(function)
    return cast(F, compiled)
