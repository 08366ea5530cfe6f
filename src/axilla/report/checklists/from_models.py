"""Evidence that lies in the models: what they are, how they were trained and chosen."""

from collections.abc import Mapping

from axilla.report.checklists.evidence import Evidence, Finder, method_place
from axilla.report.number_format import counted
from axilla.report.sections.methods import has_images
from axilla.report.study_results import StudyResults


def _models(results: StudyResults) -> Evidence:
    models = [entry for entry in results.entries if entry.competes]
    places = tuple(map(method_place, ("Models", "Fusion", "Clinical model")))
    return Evidence(f"{counted(len(models), 'model')}, by name and how they were built.", places)


def _initialisation(results: StudyResults) -> Evidence | None:
    if not has_images(results.config):
        return None
    start = (
        "Networks start from random weights."
        if results.config.models.weights == "none"
        else "Networks that have pretrained weights start from them, the others from random ones."
    )
    return Evidence(
        f"{start} The seed is {results.config.study.seed}.",
        (method_place("Models"), method_place("Randomness")),
    )


def _training(results: StudyResults) -> Evidence | None:
    if not has_images(results.config):
        return None
    return Evidence(
        "Epochs, sizes and augmentation of networks and heads.",
        (method_place("Training"), method_place("Preprocessing")),
    )


def _search(results: StudyResults) -> Evidence | None:
    if results.search.empty:
        return None
    return Evidence(
        f"{counted(len(results.search), 'trial')} on inner folds, each with settings and score.",
        (method_place("Search"), "search.csv"),
    )


def _selection(results: StudyResults) -> Evidence:
    del results
    return Evidence(
        "By the score on inner folds, never on test patients.",
        ("#selection", method_place("Validation"), "search.csv"),
    )


def _ensembles(results: StudyResults) -> Evidence:
    fusions = results.config.models.fusion
    if "voting" in fusions:
        return Evidence(
            "Voting averages the modalities' models; no other ensemble was made.",
            (method_place("Fusion"),),
        )
    return Evidence("No ensemble was made.", (method_place("Models"),))


FROM_MODELS: Mapping[str, Finder] = {
    "models": _models,
    "initialisation": _initialisation,
    "training": _training,
    "search": _search,
    "selection": _selection,
    "ensembles": _ensembles,
}
