"""The sentences say what the metrics support, and no more."""

from dataclasses import replace
from pathlib import Path

import pytest

from axilla.records.errors import StudyError
from axilla.records.estimate import Estimate
from axilla.records.run_folder import RunFolder
from axilla.report.answer import answer_of
from axilla.report.number_format import (
    duration,
    inside_sentence,
    interval_text,
    join_items,
    overlap,
)
from axilla.report.sections.methods import methods_of
from axilla.report.study_results import StudyResults, load_results
from axilla.report.tables.flow_and_checks import choices, flow_notes, flow_steps, remarks, tally
from axilla.report.tables.performance_tables import performance_table


def estimate(value, low, high) -> Estimate:
    return Estimate(value, low=low, high=high, n=211, n_positive=107, method="DeLong")


def with_auc(results: StudyResults, **aucs) -> StudyResults:
    """The same results with other AUCs; `us`, `he` and `fusion` reach all models of a family."""
    metrics = results.metrics.copy()
    families = {"us": "ultrasound/", "he": "pathology/"}
    for key, (value, low, high) in aucs.items():
        named = metrics["model"].str.startswith(families.get(key, "")) & (
            metrics["metric"] == "auc"
        )
        if key not in families:
            fusions = [entry.name for entry in results.entries if entry.family == "fusion"]
            named = metrics["model"].isin(fusions) & (metrics["metric"] == "auc")
        metrics.loc[named, ["value", "low", "high"]] = (value, low, high)
    return replace(results, metrics=metrics)


@pytest.fixture
def results(paired) -> StudyResults:
    """Without comparisons: the sentences that rest on intervals alone lead; see test_verdict.py."""
    found = load_results(*paired)
    return replace(found, comparisons=found.comparisons.head(0))


US, HE = (0.80, 0.74, 0.86), (0.85, 0.79, 0.90)


@pytest.mark.parametrize(
    ("fusion", "verdict"),
    [
        ((0.88, 0.83, 0.93), "do not show that fusion is better"),
        ((0.95, 0.91, 0.98), "lies above that of ultrasound and pathology alone"),
        (
            (0.93, 0.895, 0.96),
            "do not show that fusion is better than pathology",
        ),
        ((0.60, 0.52, 0.68), "lies below that of ultrasound and pathology alone"),
    ],
)
def test_lead_compares_fusion_with_every_modality(results, fusion, verdict):
    answer = answer_of(with_auc(results, us=US, he=HE, fusion=fusion))
    assert verdict in answer.lead
    for value in ("0.800", "0.850", f"{fusion[0]:.3f} (95\u00a0% interval {fusion[1]:.3f} to"):
        assert value in answer.lead
    assert "optimistic" in answer.caveats[0]


def test_what_the_folds_chose_is_told_before_what_was_best_after_the_fact(results):
    answer = answer_of(results)
    chosen = results.estimate("ultrasound/selected", "auc")
    assert f"ultrasound alone, as chosen in each fold, {chosen.value:.3f}" in answer.lead
    assert "DenseNet121" not in answer.lead
    (best,) = [line for line in answer.more if line.startswith("Best after the fact")]
    assert "DenseNet121" in best
    assert answer.rival.entry.chosen


def test_without_choices_the_best_is_called_best(results):
    entries = tuple(entry for entry in results.entries if not entry.chosen)
    answer = answer_of(replace(results, entries=entries))
    assert "the best ultrasound model alone, " in answer.lead
    assert any("the best ultrasound network" in line for line in answer.more)
    assert "Best ultrasound" in [tile.title for tile in answer.tiles]


def test_images_without_fusion_are_told_side_by_side(results):
    entries = tuple(entry for entry in results.entries if entry.family != "fusion")
    answer = answer_of(replace(results, entries=entries))
    assert answer.lead.startswith("Ultrasound alone, as chosen in each fold, reaches an AUC of")
    assert " and the clinical model alone, logistic regression, " in answer.lead
    assert answer.rival is None


def test_trivial_features_are_held_against_the_networks(results):
    text = " ".join(answer_of(with_auc(results, us=US)).more)
    assert "size of the ultrasound image) reach 0.800" in text
    assert "the interval of the ultrasound network chosen in each fold overlaps theirs" in text


def test_the_reader_is_reported_by_sensitivity_and_specificity(results):
    recall = results.estimate("birads", "recall")
    (line,) = [line for line in answer_of(results).more if "human reader" in line]
    assert f"sensitivity {recall.value:.3f}" in line


def test_clinical_only_answer_claims_nothing_about_fusion(clinical_only):
    answer = answer_of(load_results(*clinical_only))
    assert answer.lead.startswith(
        "The clinical model alone, logistic regression, reaches an AUC of"
    )
    assert answer.lead.endswith("No fusion was evaluated.")
    assert answer.caveats == ()
    assert len(answer.tiles) == 1


def test_bold_comes_with_what_it_does_not_mean(results):
    same = with_auc(results, us=(0.8, 0.7, 0.9))
    family = [entry for entry in same.entries if entry.family == "ultrasound"]
    table = performance_table(same, family)
    assert "the table does not rank them" in table.note
    assert table.rows[-1].entry.trivial
    assert not table.rows[-1].highest
    metrics = same.metrics
    best = (metrics["model"] == "ultrasound/plnet") & (metrics["metric"] == "auc")
    metrics.loc[best, ["value", "low", "high"]] = (0.99, 0.95, 1.0)
    table = performance_table(replace(same, metrics=metrics), family)
    assert "Only in AUC is its interval clear" in table.note
    assert table.rows[0].entry.name == "ultrasound/plnet"
    assert "auc" in table.rows[0].highest


def test_methods_follow_the_configuration(results, clinical_only):
    config = results.config
    text = " ".join(part.text for part in methods_of(config, metrics=results.metrics))
    for part in ("5 outer folds", "3 inner folds", "equal values of pathology_donor", "Youden"):
        assert part in text
    assert "clustered by it" in text
    assert "gated attention, learnt" not in text
    models = config.models.model_copy(update={"pooling": "attention"})
    attending = config.model_copy(update={"models": models})
    text = " ".join(part.text for part in methods_of(attending, metrics=results.metrics))
    assert "pooled by gated attention, learnt in the head" in text
    topics = [p.topic for p in methods_of(clinical_only[0], metrics=results.metrics)]
    assert not {"Preprocessing", "Fusion", "Reader", "Baselines", "Training"} & set(topics)


@pytest.mark.parametrize("scheme", ["nested_cv", "holdout", "site"])
def test_every_scheme_has_its_sentence(results, scheme):
    validation = results.config.validation.model_copy(update={"scheme": scheme, "repeats": 3})
    config = results.config.model_copy(update={"validation": validation})
    text = " ".join(part.text for part in methods_of(config, metrics=results.metrics))
    said = {"nested_cv": "out-of-fold", "holdout": "held out", "site": "Leave one site out"}
    assert said[scheme] in text
    assert "repeated 3 times" in text


def test_accounts_read_what_the_check_wrote():
    flow = {
        "in_table": 10,
        "without_outcome": 2,
        "positive": 5,
        "negative": 3,
        "groups": 4,
        "modalities": {"ultrasound": {"positive": 5, "negative": 2}, "pathology": {}},
    }
    counts = [(step.label, step.count) for step in flow_steps(flow)]
    assert counts == [
        ("In the cohort table", 10),
        ("Outcome unknown, left out", 2),
        ("Outcome known", 8),
        ("with ultrasound", 7),
    ]
    assert flow_notes(flow, group="donor") == ("They form 4 groups by donor.",)
    errors = {
        "warnings": [{"place": "a"}],
        "errors": [{"place": "b", "patients": list("123456789")}],
    }
    first, second = remarks(errors)
    assert (first.severity, first.patients) == ("error", "1, 2, 3, 4, 5, 6, 7, 8 and 1 more")
    assert second.severity == "warning"


@pytest.mark.parametrize("broken", [None, [], "text", 3, {"modalities": 4}, [{"a": 1}]])
def test_accounts_tolerate_what_they_do_not_know(broken):
    assert flow_steps(broken) == ()
    assert remarks(broken if not isinstance(broken, list) else []) == ()
    assert choices({"selected": broken if broken != [{"a": 1}] else None}) == ((), ())


def test_selection_is_tallied():
    selected = [{"repeat": 1, "fold": f, "ultrasound": "ultrasound/plnet"} for f in (1, 2)]
    modalities, rows = choices({"selected": [*selected, {"fold": 3, "ultrasound": "vit"}]})
    assert tally(modalities, rows) == ("Ultrasound: PLNet in 2 of 3 folds, ViT in 1 of 3 folds.",)


def test_broken_json_names_its_file(paired, tmp_path):
    config, folder = paired
    (tmp_path / "results").mkdir()
    for name in ("predictions.csv", "metrics.csv"):
        (tmp_path / "results" / name).write_bytes(folder.table(name).read_bytes())
    (tmp_path / "results" / "flow.json").write_text("{", encoding="utf-8")
    with pytest.raises(StudyError, match=r"flow\.json"):
        load_results(config, RunFolder(Path(tmp_path)))


def test_wording():
    nan = float("nan")
    assert join_items([]) == ""
    assert join_items(["a"]) == "a"
    assert join_items(["a", "b", "c"]) == "a, b and c"
    assert overlap(estimate(0.5, 0.4, 0.6), estimate(0.7, 0.6, 0.8))
    assert not overlap(estimate(0.5, 0.4, 0.6), estimate(0.7, 0.61, 0.8))
    assert overlap(estimate(0.5, nan, nan), estimate(0.7, 0.6, 0.8))
    assert interval_text(estimate(0.5, nan, nan)) == "no interval"
    assert [duration(s) for s in (7.2, 125, 3725)] == ["7 s", "2 min 5 s", "1 h 2 min"]
    assert inside_sentence("Logistic regression") == "logistic regression"
    assert inside_sentence("DenseNet121") == "DenseNet121"


def test_fewer_patients_are_said_where_they_are_compared(results):
    metrics = results.metrics.copy()
    metrics.loc[metrics["model"] == "clinical/logistic", "n"] = 105
    answer = answer_of(replace(results, metrics=metrics))
    (line,) = [line for line in answer.more if line.startswith("The clinical model alone")]
    assert line.endswith(") in the 105 patients who have its data.")
    assert "patients who have" not in answer.lead
