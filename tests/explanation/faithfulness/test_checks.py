import numpy as np
import pandas as pd
import pytest
import torch

from axilla.explanation.faithfulness.faithfulness_scores import Measured, curve_table
from axilla.explanation.faithfulness.faithfulness_tests import measure
from axilla.explanation.faithfulness.verdicts import table, verdicts
from axilla.explanation.methods.explainer import Explainer
from axilla.records.table_columns import FAITHFULNESS, FAITHFULNESS_CURVES

CHECKS = [
    "deletion_vs_random",
    "deletion_vs_edges",
    "insertion_vs_random",
    "insertion_vs_edges",
    "randomisation_signed",
    "randomisation_absolute",
    "stability_shift",
    "stability_brightness",
]
GOOD = {
    "deletion_map": 0.6,
    "deletion_random": 0.3,
    "deletion_edges": 0.4,
    "insertion_map": 0.6,
    "insertion_random": 0.3,
    "insertion_edges": 0.4,
    "randomisation_signed": 0.2,
    "randomisation_absolute": 0.1,
    "stability_shift": 0.9,
    "stability_brightness": 0.95,
}


def patients(spread=0.05, count=20, **changes):
    rng = np.random.default_rng(1)
    return [
        Measured(
            "pathology",
            "gradcam",
            f"P{k}",
            f"donor{k // 2}",
            positive=k % 2 == 0,
            measures={
                name: value + rng.normal(0, spread) for name, value in {**GOOD, **changes}.items()
            },
        )
        for k in range(count)
    ]


def passed(tested):
    return {one.check: one.passed for one in verdicts(tested)}


def test_a_good_map_passes_every_check():
    assert passed(patients()) == dict.fromkeys(CHECKS, True)
    assert all(one.note.startswith("passes; ") for one in verdicts(patients()))


@pytest.mark.parametrize(
    ("check", "changes"),
    [
        ("deletion_vs_random", {"deletion_random": 0.6, "deletion_edges": 0.1}),
        ("deletion_vs_edges", {"deletion_edges": 0.7}),
        ("insertion_vs_random", {"insertion_random": 0.6}),
        ("insertion_vs_edges", {"insertion_edges": 0.6}),
        ("randomisation_signed", {"randomisation_signed": 0.5}),
        ("randomisation_absolute", {"randomisation_absolute": 0.8}),
        ("stability_shift", {"stability_shift": 0.5}),
        ("stability_brightness", {"stability_brightness": -0.9}),
    ],
)
def test_each_fault_fails_its_own_check_only_and_is_said(check, changes):
    found = verdicts(patients(**changes))
    assert [one.check for one in found if one.passed is False] == [check]
    (fault,) = (one for one in found if one.passed is False)
    assert fault.note.startswith("FAILS")


def test_worse_than_the_rival_is_said_apart_from_not_better():
    notes = {
        value: next(
            one.note
            for one in verdicts(patients(deletion_edges=value))
            if one.check == "deletion_vs_edges"
        )
        for value in (0.6, 0.9)
    }
    assert "not shown to beat the image's edges" in notes[0.6]
    assert "does worse than the image's edges" in notes[0.9]


def test_a_wide_interval_fails_where_its_mean_would_pass():
    found = passed(patients(spread=0.6, randomisation_signed=0.4))
    assert found["randomisation_signed"] is False


def test_one_group_gives_no_verdict():
    found = verdicts(patients(count=2))
    assert all(one.passed is None for one in found)
    assert all(one.note.startswith("no verdict") for one in found)


def test_flat_maps_are_counted():
    some = patients()
    some[3] = Measured(
        "pathology", "gradcam", "P3", "donor1", positive=False, measures={"deletion_map": np.nan}
    )
    (row,) = (one for one in verdicts(some) if one.check == "randomisation_signed")
    assert row.estimate.n == 19
    assert "1 left out" in row.note


def test_the_table_survives_csv(tmp_path):
    rows = table(verdicts(patients(stability_shift=0.1)))
    assert tuple(rows.columns) == FAITHFULNESS
    rows.to_csv(tmp_path / "faithfulness.csv", index=False)
    again = pd.read_csv(tmp_path / "faithfulness.csv", dtype={"passed": "boolean"})
    assert again["passed"].tolist() == rows["passed"].tolist()
    assert tuple(table([]).columns) == FAITHFULNESS


def test_all_is_measured_and_equal_seeds_give_equal_tables(
    fused_model, fused_cases, fused_described
):
    methods = [
        (modality, lambda model, m=modality: Explainer(model, m, method="gradcam"))
        for modality in ("ultrasound", "pathology")
    ]
    runs = [
        measure(fused_model, fused_described, fused_cases, methods=methods, seed=seed)
        for seed in (1, 1)
    ]
    assert [one.patient_id for one in runs[0]] == [f"P{k}" for k in (0, 1, 2, 3, 4, *range(6))]
    assert [one.group for one in runs[0]][3:5] == ["donor1", "donor2"]
    tables = [table(verdicts(run)) for run in runs]
    pd.testing.assert_frame_equal(tables[0], tables[1])
    ultrasound = tables[0][tables[0]["modality"] == "ultrasound"]
    assert ultrasound["check"].tolist()[:8] == CHECKS
    assert len(ultrasound) == 18
    assert ultrasound["passed"].isna().sum() == 10
    assert tables[0].query("modality == 'pathology'")["check"].tolist() == CHECKS
    assert np.isfinite(tables[0]["value"]).all()


def test_a_true_map_passes_and_the_image_itself_fails(
    corner_model, corner_cases, corner_described, gradcam, drawing
):
    for explains, verdict in (
        (gradcam, True),
        (drawing(lambda planes: planes[:, 0].float()), False),
    ):
        tested = measure(
            corner_model, corner_described, corner_cases, methods=[("pathology", explains)], seed=3
        )
        found = passed(tested)
        assert found["deletion_vs_random"] is verdict
        assert found["insertion_vs_random"] is verdict
        assert found["deletion_vs_edges"] is verdict
        assert found["randomisation_signed"] is verdict


def test_a_second_opinion_is_told_and_not_judged(
    corner_model, corner_cases, corner_described, gradcam, drawing
):
    def asked(second):
        tested = measure(
            *(corner_model, corner_described, corner_cases),
            methods=[("pathology", gradcam)],
            opinions={"pathology": second},
            seed=3,
        )
        (row,) = (one for one in verdicts(tested) if one.check.startswith("agreement_"))
        assert row.passed is None
        return row.estimate.value

    maps = gradcam(corner_model).explain(corner_described, torch.arange(12))
    finer = torch.kron(maps.values, torch.ones(1, 2, 2))
    assert asked(drawing(lambda _planes: finer)) == pytest.approx(1)
    assert asked(drawing(lambda _planes: -finer)) == pytest.approx(-1)
    second = asked(lambda model: Explainer(model, "pathology", method="integrated"))
    assert 0.3 < second < 1


def test_mean_curves_have_the_areas_of_their_images(
    corner_model, corner_cases, corner_described, gradcam
):
    measured = measure(
        corner_model, corner_described, corner_cases, methods=[("pathology", gradcam)], seed=3
    )
    rows = curve_table(measured)
    assert tuple(rows.columns) == FAITHFULNESS_CURVES
    assert len(rows) == 2 * 3 * 9
    for (curve, order), points in rows.groupby(["curve", "order"]):
        area = np.trapezoid(points["value"], points["share_changed"])
        known = np.mean([one.measures[f"{curve}_{order}"] for one in measured])
        assert area == pytest.approx(known)
        assert points["value"].iloc[0] == 0
        assert points["n"].eq(12).all()
        assert (points["low"] <= points["value"]).all()
    assert tuple(curve_table([]).columns) == FAITHFULNESS_CURVES
