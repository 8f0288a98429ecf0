"""One place that decides how kernels are compiled: no Python objects, no fast-math, cached on disk.

Never holds kernels itself. Fast-math stays off: it would change the last bits of averages, and the SQL
side must get the same ones. Window kernels are compiled without numba's reference counting: they are
handed all their arrays and allocate none, and counting references to them at every call of a helper
made them ten times slower (measured). `error_model="numpy"` drops the check for division by zero; the
kernels test their divisors.

numba notices a changed file only for the function it compiles, not for the helpers inlined into it. So
the cache lies in a folder named after the content of all kernel sources: an upgrade never runs old code.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, cast

import numba

F = TypeVar("F", bound=Callable[..., Any])
_PACKAGES = ("engine", "anomaly")


def cache_folder() -> Path:
    """Folder of compiled code: below `NUMBA_CACHE_DIR`, else the user's cache folder."""
    root = Path(__file__).parent
    digest = hashlib.sha256(numba.__version__.encode() + Path(__file__).read_bytes())
    for file in sorted(f for p in _PACKAGES for f in (root / p).glob("*.py")):
        text = file.read_bytes()
        # modules with kernels, and the constants that are compiled into them
        if b"from txmon.jit import" in text or file.name == "state.py":
            digest.update(file.name.encode() + b"\0" + text)
    named = os.environ.get("NUMBA_CACHE_DIR")
    base = (
        Path(named) if named else Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "txmon"
    )
    return base / f"kernels-{digest.hexdigest()[:16]}"


numba.config.CACHE_DIR = str(cache_folder())


def kernel(function: F) -> F:
    """Compile `function` for whole batches; releases the interpreter lock while it runs."""
    return cast(F, numba.njit(cache=True, nogil=True, error_model="numpy", _nrt=False)(function))


def inline(function: F) -> F:
    """Compile a small helper into the kernels that call it; it must not allocate."""
    options = {"cache": True, "nogil": True, "error_model": "numpy", "_nrt": False, "forceinline": True}
    return cast(F, numba.njit(**options)(function))


def managed(function: F) -> F:
    """Compile a kernel that may allocate arrays of its own."""
    return cast(F, numba.njit(nogil=True, cache=True)(function))
