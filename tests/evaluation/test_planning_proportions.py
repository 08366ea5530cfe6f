"""Patients for a sensitivity or specificity: design effects and widths of Wilson intervals."""

import numpy as np
import pytest
from scipy.stats import binom, binomtest

from axilla.evaluation.planning.sample_size import (
    assurance_of_width,
    class_sizes,
    design_effect,
    expected_width,
    patients_for_proportion_width,
)


def test_design_effect_of_kish():
    assert design_effect(5.86, correlation=0.3) == pytest.approx(2.458)
    assert design_effect(1, correlation=0.5) == 1


def test_classes_are_whole_patients_and_never_empty():
    positive, negative = class_sizes(np.array([4, 10, 1000]), prevalence=0.01)
    assert positive.tolist() == [2, 2, 10]
    assert negative.tolist() == [2, 8, 990]


def scipy_width(k, n):
    low, high = binomtest(k, n).proportion_ci(method="wilson")
    return high - low


@pytest.mark.parametrize(("share", "width"), [(0.85, 0.2), (0.5, 0.3), (0.97, 0.12)])
def test_expected_and_assured_wilson_width_by_scipy(share, width):
    def mean(n):
        return sum(binom.pmf(k, n, share) * scipy_width(k, n) for k in range(n + 1))

    def assured(n):
        return sum(binom.pmf(k, n, share) for k in range(n + 1) if scipy_width(k, n) <= width)

    plan = patients_for_proportion_width(share, width=width, class_share=0.4)
    assert mean(plan.n_positive) <= width < mean(plan.n_positive - 1)
    assert plan.reached == pytest.approx(mean(plan.n_positive))
    assert plan.n == int(np.ceil(plan.n_positive / 0.4))
    assert expected_width(share, trials=33) == pytest.approx(mean(33))

    trials = np.array([1, 2, 17, 40, 41, 90])
    found = assurance_of_width(share, trials=trials, width=width)
    assert found == pytest.approx([assured(n) for n in trials], abs=1e-9)
    plan = patients_for_proportion_width(share, width=width, class_share=0.4, assurance=0.9)
    assert (
        assured(plan.n_positive - 1)
        < 0.9
        <= assured(plan.n_positive)
        == pytest.approx(plan.reached)
    )
    enough = [binom.sf(plan.n_positive - 1, n, 0.4) for n in (plan.n - 1, plan.n)]
    assert enough[0] < 0.9 <= enough[1]


def test_sensitivity_of_the_colposcope_example_of_presize():
    """presize (CRAN), vignette: sensitivity 0.75, prevalence 0.15, 250 patients: 38 positive."""
    plan = patients_for_proportion_width(0.75, width=0.27, class_share=0.15)
    assert plan.n_positive == pytest.approx(38, abs=2)
