"""Agreement of readers as the API's JSON has it: no NaN."""

import math
from collections.abc import Sequence
from typing import Any

from axilla.annotation.reviews import RoiReview


def agreement_of(reviews: Sequence[RoiReview]) -> tuple[dict[str, Any], ...]:
    """Return each number with its interval, None where the data allow none."""
    # scipy's tests take a second to import; the server must not wait for them.
    from axilla.evaluation.roi_agreement import roi_agreement  # noqa: PLC0415

    return tuple(
        {
            "key": one.key,
            "value": _finite(one.estimate.value),
            "low": _finite(one.estimate.low),
            "high": _finite(one.estimate.high),
            "n": one.estimate.n,
            "unit": one.unit,
            "method": one.estimate.method,
        }
        for one in roi_agreement(reviews)
    )


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
