"""One place that decides how kernels are compiled: no Python objects, no fast-math, cached on disk.

Never holds kernels itself. Fast-math stays off: it would change the last bits of averages, and the SQL
side must get the same ones. Window kernels are compiled without numba's reference counting: they are
handed all their arrays and allocate none, and counting references to them at every call of a helper
made them ten times slower (measured). `error_model="numpy"` drops the check for division by zero; the
kernels test their divisors.

numba notices a changed file only for the function it compiles, not for the helpers inlined into it. So
the cache lies in a folder named after the content of all kernel sources: an upgrade never runs old code.
A cache that cannot be written, its disk full, costs the next start its time and nothing else.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar, cast

import numba
from numba.core import cgutils
from numba.extending import intrinsic

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
    return cast(F, _cached(numba.njit(cache=True, nogil=True, error_model="numpy", _nrt=False)(function)))


def inline(function: F) -> F:
    """Compile a small helper into the kernels that call it; it must not allocate."""
    options = {"cache": True, "nogil": True, "error_model": "numpy", "_nrt": False, "forceinline": True}
    return cast(F, _cached(numba.njit(**options)(function)))


def managed(function: F) -> F:
    """Compile a kernel that may allocate arrays of its own."""
    return cast(F, _cached(numba.njit(nogil=True, cache=True)(function)))


def _cached(compiled: Any) -> Any:
    """Let a compiled function go on where its code cannot be kept for the next process."""
    cache = getattr(compiled, "_cache", None)  # none where kernels run as plain Python
    if cache is not None:
        save = cache.save_overload

        def save_if_possible(signature: Any, data: Any) -> None:
            with suppress(OSError):
                save(signature, data)

        cache.save_overload = save_if_possible
    return compiled


def _emit_prefetch(_context: Any, array: Any, index: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        cells = context.make_array(signature.args[0])(context, builder, args[0])
        byte, word = cgutils.voidptr_t, cgutils.int32_t
        call = cgutils.ir.FunctionType(cgutils.ir.VoidType(), (byte, word, word, word))
        target = cgutils.get_or_insert_function(builder.module, call, "llvm.prefetch.p0")
        address = builder.bitcast(builder.gep(cells.data, [args[1]]), byte)
        # for writing, into every level of cache, data: nearly all that is asked for is written soon
        builder.call(target, [address, word(1), word(3), word(1)])
        return context.get_dummy_value()

    return numba.void(array, index), generate


def _no_prefetch(array: Any, index: int) -> None:
    """Stand in where kernels run as plain Python."""


# prefetch(array, i): ask for the cache line of cell `i` of a contiguous array, counted in memory order. It
# never faults: outside the array nothing happens.
prefetch: Callable[[Any, int], None] = _no_prefetch if numba.config.DISABLE_JIT else intrinsic(_emit_prefetch)
