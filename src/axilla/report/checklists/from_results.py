"""Evidence that lies in what came out."""

from collections.abc import Mapping

from axilla.report.answer import answer_of
from axilla.report.checklists.evidence import Evidence, Finder, method_place
from axilla.report.limitations import limitations_of
from axilla.report.number_format import join_items, pluralise, sentence, with_interval
from axilla.report.sections.failure_gallery import errors_made
from axilla.report.study_results import StudyResults
from axilla.report.tables.explanation_results import method_label
from axilla.report.tables.family_summary import headline_of


def _answer(results: StudyResults) -> Evidence:
    return Evidence(answer_of(results).lead, ("#answer",))


def _performance(results: StudyResults) -> Evidence | None:
    headline = headline_of(results)
    if headline is None:
        return None
    places = ("#auc", "#pathology", "#ultrasound", "#fusion", "#clinical", "metrics.csv")
    return Evidence(f"AUC of {headline.name}: {headline}.", places)


def _diagnostic(results: StudyResults) -> Evidence | None:
    headline = headline_of(results)
    if headline is None:
        return None
    found = [
        f"{title} {with_interval(estimate)}"
        for title, metric in (("sensitivity", "recall"), ("specificity", "specificity"))
        if (estimate := results.estimate(headline.entry.name, metric)) is not None
    ]
    places = ("#fusion", "#pathology", "#ultrasound", "#clinical", "metrics.csv")
    return Evidence(f"{sentence(headline.name)}: {join_items(found)}.", places) if found else None


def _subgroups(results: StudyResults) -> Evidence:
    if results.subgroups.empty:
        return Evidence("No subgroup was evaluated.")
    levels = results.subgroups.drop_duplicates(["column", "level"])
    return Evidence(
        f"{pluralise(len(levels), 'subgroup')}, with intervals and tests of interaction.",
        ("#subgroups", "subgroups.csv"),
    )


def _cluster_performance(results: StudyResults) -> Evidence:
    site = results.config.cohort.site
    if site and (results.subgroups["column"] == site).any():
        return Evidence(f"By {site}.", ("#subgroups", "subgroups.csv"))
    if results.config.validation.scheme == "site":
        return Evidence("Each fold is one site.", ("#patients", "predictions.csv"))
    return Evidence("Performance was not examined site by site.", ("#limitations",))


def _robustness(results: StudyResults) -> Evidence | None:
    said = []
    if results.availability["withheld"].astype(bool).any():
        said.append("Fusion was measured again with modalities withheld.")
    repeats = results.predictions["repeat"].nunique()
    if repeats > 1:
        said.append(f"The validation was repeated {repeats} times with new splits.")
    if any(entry.trivial for entry in results.entries):
        said.append("Models of colour, brightness and size alone stand beside the networks.")
    if not results.learning_curve.empty:
        said.append("Performance was measured with fewer training patients.")
    places = ("#availability", method_place("Baselines"), "#learning")
    return Evidence(" ".join(said), places) if said else None


def _explanation(results: StudyResults) -> Evidence | None:
    legend = results.explained.legend
    if legend is None:
        return None
    maps = join_items(
        [f"{method_label(how)} on {modality}" for modality, how in legend.method.items()]
    )
    said = f"Heatmaps of {legend.model} out of fold: {maps}."
    if not results.explained.faithfulness.empty:
        said += " Their faithfulness was tested; the report says which checks they fail."
    if not results.explained.shapley_summary.empty:
        said += " Exact Shapley values say how far each modality moves a prediction."
    places = ("#heatmaps", "#shapley", "#readings", "faithfulness.csv", "shapley.csv")
    return Evidence(said, places)


def _external(results: StudyResults) -> Evidence:
    if not results.external.empty:
        patients = pluralise(int(results.external["n"].iloc[0]), "patient")
        text = f"The frozen bundle was tested on {patients} kept out of development."
        return Evidence(text, ("#external", "external_metrics.csv"))
    if results.config.validation.scheme == "site":
        text = "Each site was predicted by models of the others; no set from outside the study."
    else:
        text = "No patient of another origin was tested."
    return Evidence(text, ("#limitations", method_place("Validation")))


def _failures(results: StudyResults) -> Evidence | None:
    headline = headline_of(results)
    if headline is None:
        return None
    positives, negatives = errors_made(results, headline.entry, most=0)
    return Evidence(
        f"{sentence(headline.name)} made {pluralise(positives.of, 'false positive')} and "
        f"{pluralise(negatives.of, 'false negative')}; the most confident are shown.",
        ("#failures", "predictions.csv"),
    )


def _limitations(results: StudyResults) -> Evidence | None:
    found = limitations_of(results)
    if not found:
        return None
    topics = list(dict.fromkeys(limit.topic.lower() for limit in found))
    return Evidence(f"Computed from the data: {join_items(topics)}.", ("#limitations",))


def _specification(results: StudyResults) -> Evidence | None:
    bundle = results.provenance.get("bundle")
    if not isinstance(bundle, Mapping) or not bundle.get("model"):
        return None
    return Evidence(
        f"One file predicts new patients with {bundle['model']}; its card says what it is for.",
        ("bundle.axilla", "model_card.md", "#provenance"),
    )


def _poor_input(results: StudyResults) -> Evidence | None:
    if not results.config.models.fusion:
        return None
    return Evidence(
        "A missing modality is predicted around, and the prediction says so; an image that cannot "
        "be read is refused.",
        ("#availability", "model_card.md"),
    )


def _user_input(results: StudyResults) -> Evidence | None:
    if not results.config.models.ultrasound:
        return None
    return Evidence(
        "Users mark the lesion on the ultrasound image and choose the pathology region.",
        ("model_card.md", method_place("Preprocessing")),
    )


FROM_RESULTS: Mapping[str, Finder] = {
    "answer": _answer,
    "performance": _performance,
    "diagnostic": _diagnostic,
    "subgroups": _subgroups,
    "cluster_performance": _cluster_performance,
    "robustness": _robustness,
    "explanation": _explanation,
    "external": _external,
    "failures": _failures,
    "limitations": _limitations,
    "specification": _specification,
    "poor_input": _poor_input,
    "user_input": _user_input,
}
