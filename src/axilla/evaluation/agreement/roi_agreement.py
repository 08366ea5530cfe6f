"""Agreement of two readers on the ROI, each number with its interval, clustered by patient."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd

from axilla.annotation.rectangle_agreement import RectanglePair, icc_agreement
from axilla.annotation.roi_reviews import RoiReview
from axilla.evaluation.intervals.clustered_proportions import clustered_share
from axilla.evaluation.intervals.confidence_intervals import FEWEST, t_quantile
from axilla.records.estimate import Estimate

BOUNDS: Final = (0.5, 0.75)


@dataclass(frozen=True, slots=True)
class RoiAgreement:
    """One number on the agreement; `key` names it for programs, `unit` is '' or px, mm."""

    key: str
    estimate: Estimate
    unit: str = ""


def pairs_of(reviews: Sequence[RoiReview]) -> tuple[RectanglePair, ...]:
    """Return the images on which both readers drew a rectangle."""
    return tuple(
        RectanglePair(one.patient_id, one.first, one.second, one.pixel_mm)
        for one in reviews
        if one.first is not None and one.second is not None
    )


def roi_agreement(reviews: Sequence[RoiReview]) -> tuple[RoiAgreement, ...]:
    """Return how far two readers agree, over the images that both judged; none without any.

    Mean IoU, shares of images with an IoU of at least 0.5 and 0.75 (where both drew), the share
    accepted unchanged and the share on whose lesion both agree that it is (not) there (of all),
    the mean distance of centres, and ICC(2,1) of areas. Lengths are in mm if every pixel size is
    known. An image counts once; images of one patient are no independent sample.
    """
    return tuple(_numbers(reviews)) if reviews else ()


def _numbers(reviews: Sequence[RoiReview]) -> Iterator[RoiAgreement]:
    patients = pd.Series([one.patient_id for one in reviews], dtype=str)
    unchanged = [one.decision == "accepted" for one in reviews]
    same = [(one.first is None) == (one.second is None) for one in reviews]
    yield RoiAgreement("unchanged", _share(unchanged, patients))
    yield RoiAgreement("same_presence", _share(same, patients))
    pairs = pairs_of(reviews)
    if not pairs:
        return
    whose = pd.Series([pair.patient_id for pair in pairs], dtype=str)
    overlaps = [pair.iou for pair in pairs]
    yield RoiAgreement("iou", _mean(overlaps, whose, most=1.0))
    for bound in BOUNDS:
        enough = [overlap >= bound for overlap in overlaps]
        yield RoiAgreement(f"iou_{bound:g}", _share(enough, whose))
    sizes = [pair.pixel_mm for pair in pairs]
    mm = all(size is not None for size in sizes)
    apart = [pair.distance_px * ((pair.pixel_mm or 1.0) if mm else 1.0) for pair in pairs]
    yield RoiAgreement("distance", _mean(apart, whose), "mm" if mm else "px")
    icc = icc_agreement([pair.areas(mm=mm) for pair in pairs])
    method = "ICC(2,1), McGraw & Wong; images taken as independent"
    estimate = Estimate(icc.value, icc.low, icc.high, icc.n, 0, method)
    yield RoiAgreement("icc_area", estimate, "mm²" if mm else "px²")


def _share(counted: Sequence[bool], patients: "pd.Series[str]") -> Estimate:
    values = pd.Series([float(one) for one in counted])
    share, interval = clustered_share(values, patients)
    return Estimate(
        share, interval.low, interval.high, len(values), int(values.sum()), interval.method
    )


def _mean(values: Sequence[float], patients: "pd.Series[str]", *, most: float = np.inf) -> Estimate:
    """Return a mean with Student's interval; the variance is that between patients' totals."""
    found = np.asarray(values, dtype=np.float64)
    mean = float(found.mean())
    number = pd.factorize(patients)[0]
    clusters = int(number.max()) + 1
    method = f"t interval, clustered by patient ({clusters} patients)"
    if clusters < FEWEST:
        return Estimate(mean, np.nan, np.nan, len(found), 0, f"{method}; no interval: one patient")
    totals = np.bincount(number, found - mean)
    error = float(np.sqrt((totals**2).sum() * clusters / (clusters - 1)) / len(found))
    half = t_quantile(clusters - 1) * error
    return Estimate(mean, max(0.0, mean - half), min(most, mean + half), len(found), 0, method)
