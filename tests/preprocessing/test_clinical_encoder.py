"""The clinical encoder: against scikit-learn's imputer, scaler and one-hot encoder."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.impute import SimpleImputer
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from axilla.preprocessing.clinical import ClinicalEncoder, fit_encoder
from axilla.records.errors import BundleError

NUMBER, CATEGORY = "number", "category"
VALUE = st.none() | st.integers(-(10**6), 10**6).map(lambda hundredths: hundredths / 100)


def rows(values, name="age"):
    return [{name: value} for value in values]


def column(values):
    return np.array([[np.nan if value is None else value] for value in values], dtype=float)


@given(
    st.lists(VALUE, min_size=1, max_size=12).filter(lambda v: any(x is not None for x in v)),
    st.lists(VALUE, min_size=1, max_size=5),
)
def test_numbers_are_imputed_and_scaled_as_scikit_learn_does(train, new):
    imputer = SimpleImputer(strategy="median").fit(column(train))
    filled = imputer.transform(column(train))
    ours = fit_encoder(rows(train), {"age": NUMBER})(rows(new))
    if np.ptp(filled) == 0:
        expected = imputer.transform(column(new)) - filled.mean()
    else:
        expected = StandardScaler().fit(filled).transform(imputer.transform(column(new)))
    assert ours == pytest.approx(expected.astype(np.float32), rel=1e-4, abs=1e-4)


@pytest.mark.parametrize("value", [0.1, 1 / 3, 53.0, 1e-12, 0.0])
def test_a_constant_column_is_centred_and_not_blown_up(value):
    encoder = fit_encoder(rows([value] * 3), {"age": NUMBER})
    reference = StandardScaler().fit(column([value] * 3))
    new = [value, value + 1, None]
    filled = column([value, value + 1, value])
    assert encoder(rows(new)) == pytest.approx(reference.transform(filled), abs=1e-6)


def test_a_number_that_nobody_has_becomes_zero():
    encoder = fit_encoder(rows([None, None]), {"age": NUMBER})
    assert encoder(rows([None])).tolist() == [[0.0]]


@given(
    st.lists(st.sampled_from(["a", "b", "ä", "1"]), min_size=1, max_size=8),
    st.lists(st.sampled_from(["a", "b", "ä", "1", "unseen"]), min_size=1, max_size=5),
)
def test_categories_are_one_hot_as_scikit_learn_does(train, new):
    reference = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    reference.fit(np.array(train, dtype=object)[:, None])
    encoder = fit_encoder(rows(train, "er"), {"er": CATEGORY})
    expected = reference.transform(np.array(new, dtype=object)[:, None])
    assert encoder(rows(new, "er")).tolist() == expected.tolist()


def test_a_missing_category_is_all_zeros_in_training_and_after():
    encoder = fit_encoder([{"er": "positive"}, {"er": None}, {}], {"er": CATEGORY})
    assert encoder.width == 1
    assert encoder([{"er": None}, {}, {"er": "positive"}]).tolist() == [[0], [0], [1]]


KINDS = {"age": NUMBER, "er": CATEGORY, "ki67": NUMBER}
PATIENTS = [
    {"age": 53.0, "er": "positive", "ki67": 1 / 3},
    {"age": None, "er": "negative", "ki67": 20.0},
    {"age": 41.5, "er": None, "other": "x"},
]


def test_columns_stand_side_by_side_in_the_order_of_the_study():
    encoder = fit_encoder(PATIENTS, KINDS)
    assert encoder.width == 4
    together = encoder(PATIENTS)
    alone = [fit_encoder(PATIENTS, {name: kind})(PATIENTS) for name, kind in KINDS.items()]
    assert together.dtype == np.float32
    assert np.array_equal(together, np.concatenate(alone, axis=1))


def test_json_carries_the_encoder_exactly():
    encoder = fit_encoder(PATIENTS, KINDS)
    back = ClinicalEncoder.from_json(json.loads(json.dumps(encoder.to_json())))
    assert back == encoder
    assert np.array_equal(back(PATIENTS), encoder(PATIENTS))


def test_a_patient_does_not_depend_on_the_others():
    encoder = fit_encoder(PATIENTS, KINDS)
    for patient, row in zip(PATIENTS, encoder(PATIENTS), strict=True):
        assert np.array_equal(encoder([patient])[0], row)
    assert encoder([]).shape == (0, 4)


def test_text_in_a_number_column_says_how_to_give_one():
    encoder = fit_encoder(PATIENTS, KINDS)
    with pytest.raises(BundleError, match="age=53"):
        encoder([{"age": "fifty"}])


@pytest.mark.parametrize(
    "change",
    [
        {"sd": 0.0},
        {"sd": -1.0},
        {"mean": float("nan")},
        {"median": "old"},
        {"kind": "text"},
        {"kind": None},
        {"levels": [1, 2], "kind": "category"},
    ],
)
def test_a_column_that_no_study_fits_is_refused(change):
    column = fit_encoder([{"age": 40.0}, {"age": 50.0}], {"age": "number"}).to_json()[0]
    with pytest.raises(ValueError, match="validation error"):
        ClinicalEncoder.from_json([column | change])
