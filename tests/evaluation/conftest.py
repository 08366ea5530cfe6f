from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from axilla.records.table_columns import PREDICTIONS

MakeRows = Callable[..., pd.DataFrame]


@pytest.fixture
def make_rows() -> MakeRows:
    """Rows of predictions.csv: labels (n,), probabilities (n,) or (repeats, n), NaN = no row."""

    def make(labels, probabilities, *, model="multilayer", kind="fusion", threshold=0.5):
        repeats = np.atleast_2d(np.asarray(probabilities, dtype=float))
        rows = [
            (
                f"P{p:03d}",
                model,
                kind,
                "ultrasound+pathology",
                r,
                p % 5,
                labels[p],
                value,
                threshold,
            )
            for r, scores in enumerate(repeats)
            for p, value in enumerate(scores)
            if not np.isnan(value)
        ]
        return pd.DataFrame(rows, columns=list(PREDICTIONS))

    return make


@pytest.fixture
def scored():
    """60 patients in 18 groups of one class, with ties: labels, probabilities, group by patient."""
    rng = np.random.default_rng(3)
    group = rng.integers(0, 18, 60)
    labels = (group % 3 != 0).astype(int)
    logits = 1.6 * (labels - 0.5) + 0.6 * rng.normal(size=18)[group] + rng.normal(size=60)
    groups = {f"P{p:03d}": f"donor{g}" for p, g in enumerate(group)}
    return labels, (1 / (1 + np.exp(-logits))).round(2), groups
