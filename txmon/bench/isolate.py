"""Runs a job in a fresh process, so that memory and caches are its own.

Owns processes, the two cores that each of them gets, and the figure of peak memory. Jobs are functions
of a module, with arguments that can be pickled.
"""

from __future__ import annotations

import contextlib
import io
import os
import runpy
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any, TypeVar

T = TypeVar("T")
THREADS = 2


def fresh(job: Callable[..., T], *args: Any) -> T:
    """Run ``job(*args)`` in a new process on two cores and return its result; its error is raised here."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn"), initializer=_prepare) as pool:
        return pool.submit(job, *args).result()


def _prepare() -> None:
    """Before anything is imported that counts cores: two of those that this process may use."""
    os.environ["POLARS_MAX_THREADS"] = str(THREADS)
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:THREADS])


def run_script(path: Path, args: Sequence[str]) -> str:
    """Run a Python script as a job of `fresh`; returns what it printed.

    Its folder is put first on the path, as the interpreter does.
    """
    sys.path.insert(0, str(path.parent))
    sys.argv = [str(path), *args]
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        runpy.run_path(str(path), run_name="__main__")
    return printed.getvalue()
