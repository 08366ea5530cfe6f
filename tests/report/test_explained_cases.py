"""Which cases a report explains, which of their images it shows, and whose maps they are."""

import dataclasses

import pandas as pd
import pytest
from explained import MODEL, worst_and_best

from axilla.explanation.heatmap_file import Legend
from axilla.report.figures.heatmap_figure import draw_figure5
from axilla.report.images.explained_cases import chosen_cases, explained_cases, explained_model
from axilla.report.study_results import load_results


def test_cases_are_those_a_loop_chooses(explained):
    config, folder, patients = explained
    results = load_results(config, folder)
    chosen = chosen_cases(results, MODEL)
    assert [one.patient_id for one in chosen] == worst_and_best(results.predictions, patients)
    assert [one.certain for one in chosen] == [True, False] * 4
    assert not any(one.alone for one in chosen)


def test_the_only_case_of_its_kind_is_called_so(explained):
    config, folder, _ = explained
    results = load_results(config, folder)
    first = chosen_cases(results, MODEL)[0].patient_id
    only = {first: results.explained.maps[first]}
    one = dataclasses.replace(results, explained=dataclasses.replace(results.explained, maps=only))
    (case,) = explained_cases(one, folder.root).cases
    assert (case.patient_id, case.standing) == (first, "the only one")


def test_bags_show_the_images_that_count_next(explained):
    config, folder, _ = explained
    results = load_results(config, folder)
    patient = chosen_cases(results, MODEL)[0].patient_id
    table = pd.read_csv(folder.root / "cohort.csv", dtype=str)
    mine = table["patient_id"] == patient
    others = [row["pathology"] for _, row in table[~mine].head(60).iterrows()]
    there = [path for path in others if (folder.root / path).is_file()][:3]
    bag = ";".join([table.loc[mine, "pathology"].iloc[0], *there])
    images = results.explained.images
    own = (images["patient_id"] == patient) & (images["modality"] == "pathology")
    shares = [0.5, 0.1, 0.3, 0.1][: len(there) + 1]
    rows = pd.concat([images[own].assign(image=n, share=s) for n, s in enumerate(shares)])
    more = dataclasses.replace(results.explained, images=pd.concat([images[~own], rows]))
    kept = (folder.root / "cohort.csv").read_bytes()
    table.loc[mine, "pathology"] = bag
    table.to_csv(folder.root / "cohort.csv", index=False)
    try:
        found = explained_cases(dataclasses.replace(results, explained=more), folder.root)
    finally:
        (folder.root / "cohort.csv").write_bytes(kept)
    shown = found.cases[0].shown[1]
    assert (shown.images, shown.share) == (4, 0.5)
    assert [tile.share for tile in shown.tiles] == [0.3, 0.1, 0.1]
    bagged = draw_figure5(dataclasses.replace(found, cases=found.cases[:1]))
    plain = draw_figure5(dataclasses.replace(found, cases=found.cases[1:2]))
    assert bagged.width_in == pytest.approx(plain.width_in + 1.48)  # a column for the tiles


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("weighting", "weighting"),
        ("concatenation, weighting", "selected"),
        ("ultrasound/plnet, pathology/squeezenet", "single/selected"),
        ("another", None),
    ],
)
def test_what_folds_chose_is_one_model(paired, said, expected):
    results = load_results(*paired)
    legend = Legend(said, {}, {})
    changed = dataclasses.replace(results.explained, legend=legend)
    model = explained_model(dataclasses.replace(results, explained=changed))
    assert (model.name if model else None) == expected


def test_repeats_are_judged_by_the_first_whose_models_are_explained(explained):
    config, folder, _ = explained
    results = load_results(config, folder)
    once = [one.patient_id for one in chosen_cases(results, MODEL)]
    other = results.predictions.assign(repeat=2, probability=0.5)
    both = pd.concat([other, results.predictions], ignore_index=True)
    twice = chosen_cases(dataclasses.replace(results, predictions=both), MODEL)
    assert [one.patient_id for one in twice] == once
    assert all(one.said.repeats == 1 for one in twice)
