"""How all tests run: hypothesis without a stopwatch and with the same examples in CI."""

import gc
import os

from hypothesis import HealthCheck, settings

settings.register_profile(
    "project",
    deadline=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
    derandomize="CI" in os.environ,
)
settings.load_profile("project")


def pytest_collection_finish() -> None:
    """What is imported stays: the collector need not look through it at each test."""
    gc.collect()
    gc.freeze()
