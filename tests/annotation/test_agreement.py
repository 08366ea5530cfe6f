"""Agreement on rectangles, against published values and other programs' arithmetic."""

import math

import numpy as np
import pytest

from axilla.annotation.rectangle_agreement import RectanglePair, icc_agreement
from axilla.annotation.roi_reviews import RoiReview, read_reviews, reviews_csv
from axilla.records.errors import CohortError
from axilla.records.roi_rectangle import Roi

# Shrout & Fleiss, Psychol Bull 1979;86:420, table 2: six targets, four judges.
SHROUT_FLEISS = (
    (9, 2, 5, 8),
    (6, 1, 3, 2),
    (8, 4, 6, 8),
    (7, 1, 2, 6),
    (10, 5, 6, 9),
    (6, 2, 4, 7),
)


def test_icc_is_that_of_shrout_and_fleiss():
    found = icc_agreement(SHROUT_FLEISS)
    assert found.value == pytest.approx(0.29, abs=0.005)
    # R's irr::icc(twoway, agreement, single) and psych::ICC print 0.019 and 0.761.
    assert (found.low, found.high) == pytest.approx((0.019, 0.761), abs=0.0006)
    assert found.n == 6


def test_icc_of_two_readers_by_variance_components():
    """Against the definition: variance of subjects over all variance, by expected mean squares."""
    rng = np.random.default_rng(1)
    truth = rng.normal(100, 20, 40)
    table = np.stack([truth + rng.normal(0, 5, 40), truth + 3 + rng.normal(0, 5, 40)], axis=1)
    n, k = table.shape
    whole = table.mean()
    rows = k * table.mean(axis=1).var() * n / (n - 1)
    columns = n * table.mean(axis=0).var() * k / (k - 1)
    left = table - table.mean(axis=1, keepdims=True) - table.mean(axis=0) + whole
    rest = (left**2).sum() / ((n - 1) * (k - 1))
    of_subjects, of_readers = (rows - rest) / k, (columns - rest) / n
    found = icc_agreement(table.tolist())
    assert found.value == pytest.approx(of_subjects / (of_subjects + of_readers + rest))
    assert found.low < found.value < found.high


@pytest.mark.parametrize("ratings", [[], [[1, 2]], [[3, 3], [3, 3]]])
def test_icc_needs_subjects_that_differ(ratings):
    assert math.isnan(icc_agreement(ratings).value)


def test_icc_of_the_same_numbers_is_one():
    found = icc_agreement([(4, 4), (9, 9), (16, 16)])
    assert (found.value, found.low, found.high) == (1, 1, 1)


def test_a_pair_by_hand():
    pair = RectanglePair("P1", Roi(0, 0, 10, 10), Roi(3, 4, 10, 10), pixel_mm=0.5)
    assert pair.iou == pytest.approx(7 * 6 / (200 - 7 * 6))
    assert pair.distance_px == 5
    assert pair.areas(mm=False) == (100, 100)
    assert pair.areas(mm=True) == (25, 25)


REVIEWS = (
    RoiReview("images/a.png", "P1", ("A2", "A3"), Roi(1, 2, 3, 4), Roi(1, 2, 3, 4), "accepted"),
    RoiReview("images/b.png", "P1", ("A2", "A3"), Roi(1, 2, 3, 4), None, "disagreement", 0.0694),
    RoiReview('=cmd|"x"!A1', "-7", ("A3", "A2"), None, None, "accepted"),
    RoiReview("images/d.png", "'; DROP", ("A3", "A2"), Roi(9, 9, 9, 9), Roi(8, 9, 9, 9), "redrawn"),
)


def test_reviews_survive_their_file(tmp_path):
    path = tmp_path / "roi_reviews.csv"
    path.write_bytes(reviews_csv(REVIEWS))
    read = read_reviews(path)
    assert [one.iou for one in read] == [1.0, 0.0, None, pytest.approx(8 / 10)]
    assert read[:3] == REVIEWS[:3]
    assert "\n=" not in path.read_text()
    assert ",-7" not in path.read_text()
    path.write_bytes(reviews_csv(()))
    assert read_reviews(path) == ()


def test_damaged_reviews_are_told_row_by_row(tmp_path):
    path = tmp_path / "roi_reviews.csv"
    text = reviews_csv(REVIEWS).decode()
    path.write_text(text.replace("redrawn", "perhaps").replace("1,2,3,4,1,2", "1,2,0,4,1,2"))
    with pytest.raises(CohortError) as raised:
        read_reviews(path)
    assert [problem.place for problem in raised.value.problems] == [
        "roi_reviews.csv, row 2", "roi_reviews.csv, row 5"
    ]  # fmt: skip
    path.write_text("image,patient_id\na,b\n")
    with pytest.raises(CohortError, match="also first_reader"):
        read_reviews(path)
