"""A bundle made in a process of its own, so that an export takes neither memory nor time from the service.

The process reads one job, writes one file and one answer, and ends; its memory and time are bounded, and it
gives way to others. Owns the process; the bundle is `txmon.evidence.bundle`'s part.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from txmon.clock import SystemClock, random_bytes
from txmon.errors import ConfigError, InputError, NotFound, StoreCorrupt, StoreError, TxmonError
from txmon.evidence import bundle, signing
from txmon.evidence.custody import Maker
from txmon.store import Store

_KINDS = {kind.__name__: kind for kind in (NotFound, InputError, ConfigError, StoreCorrupt, StoreError)}
_NICE = 10


@dataclass(frozen=True)
class Job:
    """What is to be made. place: of the store. memory_mb: of the process; seconds: until it is given up."""

    place: str
    alert_id: str
    out: str
    key: str
    by: str
    purpose: str
    now_us: int
    profile: str
    memory_mb: int
    seconds: int


def make(job: Job) -> dict[str, Any]:
    """Make a bundle in a process of its own; returns the fields of `Made`, and its `size`.

    Raises:
        As `bundle.export` and `signing.load_key`. InputError: it takes more memory or time than it may.
    """
    command = [sys.executable, "-m", "txmon.evidence.apart"]
    try:
        done = subprocess.run(  # noqa: S603 - this program, and nothing of the job in its arguments
            command, input=json.dumps(asdict(job)), capture_output=True, text=True, timeout=job.seconds
        )
    except subprocess.TimeoutExpired:
        raise InputError(f"the bundle was not done in {job.seconds} s; {_REMEDY}") from None
    with contextlib.suppress(ValueError):
        answer = json.loads(done.stdout.rpartition("\n")[2] or done.stdout)
        if "error" not in answer:
            return dict(answer)
        raise _KINDS[answer["error"]](answer["detail"])
    if done.returncode < 0 or "MemoryError" in done.stderr:
        raise InputError(f"the bundle takes more than {job.memory_mb:,} MB; {_REMEDY}")
    raise StoreError(f"the export ended with exit code {done.returncode} and no answer; try again")


_REMEDY = "run `txmon evidence export` on the store, or raise TXMON_EVIDENCE_MEMORY_MB and _SECONDS"


def _work(job: Job) -> dict[str, Any]:
    key = signing.load_key(Path(job.key))
    maker = Maker(job.by, job.purpose, job.now_us)
    place = job.place if "://" in job.place else Path(job.place)
    with Store.open(place, clock=SystemClock(), random_bytes=random_bytes, read_only=True) as store:
        made = bundle.export(store, job.alert_id, Path(job.out), key, maker, job.profile)
    return asdict(made) | {"path": str(made.path), "size": made.path.stat().st_size}


def _bounded(memory_mb: int) -> None:
    """Bound what the process may allocate, and let others go first."""
    limit = memory_mb << 20
    resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
    os.nice(_NICE)


def main() -> None:
    """Do the job on standard input; the answer is the last line of standard output."""
    given: Mapping[str, Any] = json.load(sys.stdin)
    job = Job(**given)
    _bounded(job.memory_mb)
    try:
        answer = _work(job)
    except MemoryError:
        answer = {
            "error": "InputError",
            "detail": f"the bundle takes more than {job.memory_mb:,} MB; {_REMEDY}",
        }
    except TxmonError as error:
        kind = next((each.__name__ for each in type(error).__mro__ if each.__name__ in _KINDS), "StoreError")
        answer = {"error": kind, "detail": error.detail}
    sys.stdout.write(json.dumps(answer) + "\n")


if __name__ == "__main__":
    main()
