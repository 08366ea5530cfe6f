"""Agreement of readers as the API's JSON has it: no NaN."""

from collections.abc import Sequence
from typing import Any

from axilla.annotation.roi_reviews import RoiReview
from axilla.web.core.finite_numbers import finite


def agreement_of(reviews: Sequence[RoiReview]) -> tuple[dict[str, Any], ...]:
    """Return each number with its interval, None where the data allow none."""
    # scipy's tests take a second to import; the server must not wait for them.
    from axilla.evaluation.agreement.roi_agreement import roi_agreement  # noqa: PLC0415

    return tuple(
        {
            "key": one.key,
            "value": finite(one.estimate.value),
            "low": finite(one.estimate.low),
            "high": finite(one.estimate.high),
            "n": one.estimate.n,
            "unit": one.unit,
            "method": one.estimate.method,
        }
        for one in roi_agreement(reviews)
    )
