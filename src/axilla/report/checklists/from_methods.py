"""Evidence for checklists from the study's methods and models."""

from collections.abc import Mapping

from axilla import RESEARCH_USE_ONLY
from axilla.report.checklists.evidence import Evidence, Finder, method_place
from axilla.report.number_format import join_items, pluralise
from axilla.report.sections.methods import has_images, is_clustered
from axilla.report.study_results import StudyResults

_SCHEMES = {
    "nested_cv": "Nested cross-validation",
    "holdout": "One random split",
    "site": "Leave one site out",
}
_MEASURES = {
    "auc": "AUC",
    "average_precision": "average precision",
    "recall": "sensitivity",
    "specificity": "specificity",
    "precision": "positive predictive value",
    "npv": "negative predictive value",
    "lr_positive": "likelihood ratios",
    "accuracy": "accuracy",
    "balanced_accuracy": "balanced accuracy",
    "f1": "F1",
    "mcc": "MCC",
    "brier": "Brier score",
    "calibration_slope": "calibration slope and intercept",
    "ece": "expected calibration error",
}
_PACKAGES = ("torch", "timm", "scikit-learn", "numpy")


def _objectives(results: StudyResults) -> Evidence:
    models = [entry for entry in results.entries if entry.competes]
    fused = [entry for entry in models if entry.family == "fusion"]
    validation = "internal" if results.external.empty else "internal and external"
    text = (
        f"Development and {validation} validation of {pluralise(len(models), 'model')} that "
        f"{'predicts' if len(models) == 1 else 'predict'} {results.config.study.outcome}"
    )
    if fused:
        text += f", {len(fused)} of them fusions held against each modality alone"
    return Evidence(f"{text}.", ("#answer",))


def _intended_use(results: StudyResults) -> Evidence:
    del results
    return Evidence(RESEARCH_USE_ONLY, ("model_card.md",))


def _preprocessing(results: StudyResults) -> Evidence | None:
    if not has_images(results.config):
        return None
    side = results.config.preprocessing.image_size_px
    return Evidence(
        f"Images enter at {side} by {side} px, prepared alike in training, testing and use.",
        (method_place("Preprocessing"),),
    )


def _predictor_handling(results: StudyResults) -> Evidence:
    said = []
    if has_images(results.config):
        said.append("Pixels are normalised as each network expects.")
    if results.config.models.training == "frozen" and has_images(results.config):
        components = results.config.training.reduce_to
        said.append(
            f"Embeddings are reduced to at most {pluralise(components, 'principal component')}, "
            "fitted on each training fold."
        )
    if results.config.models.clinical and results.config.clinical:
        said.append(
            "Clinical numbers are standardised and categories one-hot, by the training patients."
        )
    return Evidence(
        " ".join(said) or "As given.",
        (method_place("Preprocessing"), method_place("Training"), method_place("Clinical model")),
    )


def _partition(results: StudyResults) -> Evidence:
    validation = results.config.validation
    text = _SCHEMES[validation.scheme]
    if validation.repeats > 1:
        text += f", repeated {validation.repeats} times"
    return Evidence(
        f"{text}; every choice was made on inner folds of the training part.",
        (method_place("Validation"), "splits.csv"),
    )


def _partition_level(results: StudyResults) -> Evidence:
    group = join_items(list(results.config.cohort.group))
    text = "Partitions share no patient"
    text += f", and no value of {group}" if group else ""
    text += ", and no site" if results.config.validation.scheme == "site" else ""
    return Evidence(f"{text}.", (method_place("Validation"), "splits.csv"))


def _clusters(results: StudyResults) -> Evidence | None:
    said = []
    if is_clustered(results.metrics):
        group = join_items(list(results.config.cohort.group))
        said.append(f"Intervals and tests are clustered by {group or 'group'}.")
    if results.config.validation.scheme == "site":
        said.append("Each site is predicted by models of the others.")
    if not results.confounding.empty:
        said.append("How far the origin of the data alone tells the outcome was measured.")
    places = (method_place("Statistics"), method_place("Validation"), "confounding.csv")
    return Evidence(" ".join(said), places) if said else None


def _measures(results: StudyResults) -> Evidence:
    measured = set(results.metrics["metric"])
    names = [title for name, title in _MEASURES.items() if name in measured]
    return Evidence(
        f"{join_items(names)}; ROC curves and confusion matrices.",
        (
            *map(method_place, ("Statistics", "Calibration", "Decision curve")),
            *("#calibration", "#decision", "metrics.csv"),
        ),
    )


def _statistics(results: StudyResults) -> Evidence:
    del results
    return Evidence(
        "Every estimate has a 95 % interval and names its method.",
        (method_place("Statistics"), "metrics.csv"),
    )


def _comparisons(results: StudyResults) -> Evidence | None:
    if results.comparisons.empty:
        return None
    return Evidence(
        "Models were compared in pairs on the same patients, with Holm's correction.",
        (method_place("Comparisons"), "#comparisons", "comparisons.csv"),
    )


def _recalibration(results: StudyResults) -> Evidence:
    kind = results.config.validation.recalibration
    text = "No model was updated after its evaluation."
    if kind != "none":
        text += f" Recalibration ({kind}) was part of development, fitted on inner folds."
    return Evidence(text, (method_place("Recalibration"), method_place("Validation")))


def _prediction(results: StudyResults) -> Evidence:
    del results
    return Evidence(
        "By the fitted models of each fold; every prediction is listed with its threshold.",
        ("predictions.csv", "bundle.axilla"),
    )


def _imbalance(results: StudyResults) -> Evidence:
    patients = results.predictions.drop_duplicates("patient_id")
    positive, everybody = int(patients["label"].sum()), len(patients)
    folds = "" if results.config.validation.scheme == "site" else "folds are stratified by class, "
    return Evidence(
        f"{positive:,} of {everybody:,} are positive; {folds}no class was weighted or resampled.",
        (method_place("Validation"), "#patients"),
    )


def _fairness(results: StudyResults) -> Evidence | None:
    if results.subgroups.empty:
        return None
    columns = list(dict.fromkeys(results.subgroups["column"].astype(str)))
    return Evidence(
        f"Performance was compared within {join_items(columns)}.", ("#subgroups", "subgroups.csv")
    )


def _threshold(results: StudyResults) -> Evidence:
    rule = results.config.validation.threshold
    return Evidence(
        f"A probability, and a call at a threshold by the rule {rule}.",
        (method_place("Operating threshold"), "predictions.csv"),
    )


def _same_data(results: StudyResults) -> Evidence:
    places: tuple[str, ...] = (method_place("Validation"), "#patients", "splits.csv")
    if results.config.validation.scheme == "site":
        text = "Development and evaluation differ in the site, and in nothing else by design."
    elif results.config.validation.scheme == "holdout":
        text = "No difference by design: both are random parts of one table."
    else:
        text = "No difference by design: the same patients serve for both, in different folds."
    if not results.external.empty:
        first = results.external.iloc[0]
        text += (
            f" The external set, {int(first['n']):,} patients of whom {int(first['n_positive']):,} "
            "are positive, is patients whom the table marks as such."
        )
        places = (*places, "#external", "external_metrics.csv")
    return Evidence(text, places)


def _settings(results: StudyResults) -> Evidence | None:
    if "config" not in results.provenance:
        return None
    return Evidence(
        "Every setting of the run is kept with its results.", ("#methods", "provenance.json")
    )


def _software(results: StudyResults) -> Evidence | None:
    known = results.provenance
    if not known.get("axilla_version"):
        return None
    versions = known.get("versions")
    found = versions if isinstance(versions, Mapping) else {}
    packages = [f"{name} {found[name]}" for name in _PACKAGES if name in found]
    own = f"axilla {known['axilla_version']}"
    return Evidence(
        f"{join_items([own, *packages])}.",
        ("#provenance", "provenance.json"),
    )


FROM_METHODS: Mapping[str, Finder] = {
    "objectives": _objectives,
    "intended_use": _intended_use,
    "preprocessing": _preprocessing,
    "predictor_handling": _predictor_handling,
    "partition": _partition,
    "partition_level": _partition_level,
    "clusters": _clusters,
    "measures": _measures,
    "statistics": _statistics,
    "comparisons": _comparisons,
    "recalibration": _recalibration,
    "prediction": _prediction,
    "imbalance": _imbalance,
    "fairness": _fairness,
    "threshold": _threshold,
    "same_data": _same_data,
    "settings": _settings,
    "software": _software,
}


def _models(results: StudyResults) -> Evidence:
    models = [entry for entry in results.entries if entry.competes]
    places = tuple(map(method_place, ("Models", "Fusion", "Clinical model")))
    return Evidence(f"{pluralise(len(models), 'model')}, by name and how they were built.", places)


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
        f"{pluralise(len(results.search), 'trial')} on inner folds, each with settings and score.",
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
