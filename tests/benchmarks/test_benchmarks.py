"""Every benchmark can be started: nothing else runs them regularly."""

from importlib import import_module

import pytest
from benchmarks.running import NAMES


@pytest.mark.parametrize("name", NAMES)
def test_a_benchmark_has_what_it_needs(name):
    benchmark = import_module(f"benchmarks.{name}")
    assert callable(benchmark.measure)
    assert callable(benchmark.report)
