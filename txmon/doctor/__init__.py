"""`txmon doctor`: looks at everything the service stands on, and says what to do about what is wrong.

    ground = Ground(examine(os.environ), SystemClock(), random_bytes)
    ground.open()
    for looked in run(CHECKS, ground): looked.check.name, looked.status, looked.findings

`CHECKS` is the table of checks; each lives in the module of its area. Nothing is changed, nothing of an event
or a person is sent, no secret is shown, and the service may run meanwhile.
"""

from __future__ import annotations

from txmon.doctor.ground import Ground
from txmon.doctor.report import FAIL, OK, SKIPPED, WARN, Check, Finding, Looked, facts, run
from txmon.doctor.table import CHECKS, reference

__all__ = [
    "CHECKS", "FAIL", "OK", "SKIPPED", "WARN", "Check", "Finding", "Ground", "Looked", "facts", "reference",
    "run",
]  # fmt: skip
