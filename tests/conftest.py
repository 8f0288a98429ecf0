"""Settings for the whole suite.

Property tests draw the same examples on every run and do not shrink a failure (streams are costly);
`HYPOTHESIS_PROFILE=search` looks for new examples and shrinks them.
Coverage of the kernels is measured without compiling them; the same tests, minus what is only slow then:

    NUMBA_DISABLE_JIT=1 pytest tests/engine tests/pipeline tests/rules --cov=txmon.engine --cov=txmon.rules \
        --cov=txmon.pipeline --cov-branch -m "not slow"

Compiled kernels lie in a folder named after their sources (`txmon.jit`), so that a change of a kernel or
of a helper inlined into it is never tested with old code.
"""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, Phase, settings

_CHECKS = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.function_scoped_fixture]
settings.register_profile(
    "ci",
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=_CHECKS,
)
settings.register_profile("search", deadline=None, max_examples=500, suppress_health_check=_CHECKS)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))


def pytest_configure(config: pytest.Config) -> None:
    """Words of hashes and 128-bit sums wrap on purpose; numpy says so where kernels are not compiled."""
    if os.environ.get("NUMBA_DISABLE_JIT") == "1":
        config.addinivalue_line("filterwarnings", "ignore:overflow encountered:RuntimeWarning")
