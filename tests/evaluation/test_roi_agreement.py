"""Agreement on the ROI with intervals, against scipy and numbers by hand."""

import numpy as np
import pytest
from scipy.stats import t, ttest_1samp

from axilla.annotation.roi_reviews import RoiReview
from axilla.evaluation.agreement.roi_agreement import roi_agreement
from axilla.evaluation.intervals.confidence_intervals import wilson
from axilla.records.roi_rectangle import Roi

FIRST = Roi(100, 100, 60, 40)


def reviews(shifts, *, patients=None, pixel_mm=None):
    return [
        RoiReview(
            f"{n}.png", patients[n] if patients else f"P{n}", ("A1", "A2"), FIRST,
            Roi(100 + shift, 100, 60, 40), "accepted" if shift == 0 else "redrawn", pixel_mm,
        )
        for n, shift in enumerate(shifts)
    ]  # fmt: skip


def numbers(found):
    return {one.key: one for one in roi_agreement(found)}


SHIFTS = (0, 0, 3, 6, 12, 20, 30, 45)


def test_mean_iou_is_that_of_a_t_test():
    found = numbers(reviews(SHIFTS))
    overlaps = [(60 - shift) / (60 + shift) for shift in SHIFTS]
    wanted = ttest_1samp(overlaps, 0).confidence_interval(0.95)
    iou = found["iou"].estimate
    assert iou.value == pytest.approx(np.mean(overlaps))
    assert (iou.low, iou.high) == pytest.approx((wanted.low, wanted.high))
    assert iou.n == 8


def test_images_of_one_patient_are_no_independent_sample():
    """The same numbers twice: as many patients as before, hence the interval of before."""
    once = numbers(reviews(SHIFTS))["iou"].estimate
    patients = [f"P{n}" for n in range(len(SHIFTS))] * 2
    twice = numbers(reviews(SHIFTS * 2, patients=patients))["iou"].estimate
    assert (twice.low, twice.high) == pytest.approx((once.low, once.high))
    assert twice.n == 16


def test_shares_have_wilsons_interval():
    found = numbers(reviews(SHIFTS))
    # 60 px wide: an IoU of 0.5 is a shift of 20 px, one of 0.75 a shift of 60/7 px.
    assert found["iou_0.5"].estimate.value == 6 / 8
    assert found["iou_0.75"].estimate.value == 4 / 8
    share = found["unchanged"].estimate
    assert share.value == 2 / 8
    # Independent patients: Kish's n with the n - 1 of a sample, Student's quantile.
    low, high = wilson(2 / 8, 7, quantile=float(t.ppf(0.975, 7)))
    assert (share.low, share.high) == pytest.approx((low, high))


def test_lengths_are_in_mm_where_every_size_is_known():
    known = numbers(reviews(SHIFTS, pixel_mm=0.1))
    assert known["distance"].unit == "mm"
    assert known["distance"].estimate.value == pytest.approx(np.mean(SHIFTS) * 0.1)
    assert known["icc_area"].unit == "mm²"
    mixed = [*reviews(SHIFTS[:4], pixel_mm=0.1), *reviews(SHIFTS[4:])]
    assert numbers(mixed)["distance"].unit == "px"


def test_who_drew_nothing_counts_for_presence_alone():
    found = numbers(
        [
            *reviews(SHIFTS),
            RoiReview("x.png", "Px", ("A1", "A2"), FIRST, None, "disagreement"),
            RoiReview("y.png", "Py", ("A1", "A2"), None, None, "accepted"),
        ]
    )
    assert found["same_presence"].estimate.value == 9 / 10
    assert found["iou"].estimate.n == 8
    assert found["unchanged"].estimate.value == 3 / 10


def test_one_patient_has_no_interval_and_nobody_no_numbers():
    assert roi_agreement([]) == ()
    one = numbers(reviews([3, 6], patients=["P1", "P1"]))["iou"].estimate
    assert np.isnan(one.low)
    assert "one patient" in one.method
