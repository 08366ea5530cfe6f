"""How the predictions were evaluated, in sentences made from what the evaluation wrote."""

import pandas as pd

from axilla.report.number_format import counted, listed, percent
from axilla.report.sections.methods import Method
from axilla.report.study_results import StudyResults


def methods_of_evaluation(results: StudyResults) -> tuple[Method, ...]:
    """Return the parts that this study's tables stand for; none for a table it does not have."""
    parts = (
        Method("Missing data", _missing(results)),
        Method("Comparisons", _comparisons(results)),
        Method("Calibration", _calibration(results)),
        Method("Decision curve", _decision(results)),
        Method("Subgroups", _subgroups(results)),
    )
    return tuple(part for part in parts if part.text)


def _missing(results: StudyResults) -> str:
    if results.from_elsewhere:
        return ""
    models = results.config.models
    said = ["Each model is measured in the patients who have its data."]
    if models.fusion:
        said.append("Fusion predicts from the modalities that a patient has.")
    if models.clinical and results.config.clinical:
        said.append(
            "In the clinical model a missing number becomes the median of the training patients, "
            "and a missing category belongs to no category."
        )
    return " ".join(said)


def _comparisons(results: StudyResults) -> str:
    table = results.comparisons
    if table.empty:
        return ""
    tests = [
        f"{what} by {_prose(method)}"
        for test, what in (("delong", "AUCs"), ("mcnemar", "accuracies"))
        if (method := _usual_method(table, test=test))
    ]
    families = table["family"].nunique()
    return (
        f"Pairs of models were laid down before any result was seen, in "
        f"{counted(families, 'family', plural='families')}; each pair is compared in the patients "
        f"that both predict: {', '.join(tests)}, other measures by a bootstrap of the difference. "
        "Within a family p-values are corrected by Holm's method, separately for each test."
    )


def _calibration(results: StudyResults) -> str:
    if results.calibration.empty:
        return ""
    return (
        "Intercept and slope of a logistic regression of the outcome on the logit of the "
        "probability (0 and 1 are right), and the curve of a local linear regression of the "
        "outcome on the probability, beside the shares in bins."
    )


def _decision(results: StudyResults) -> str:
    if results.decision_curve.empty:
        return ""
    low, high = results.config.evaluation.decision_range
    return (
        f"Net benefit (Vickers & Elkin, Med Decis Making 2006;26:565) at threshold probabilities "
        f"from {percent(low)} to {percent(high)}, beside treating everybody and nobody."
    )


def _subgroups(results: StudyResults) -> str:
    table = results.subgroups
    if table.empty:
        return ""
    columns = list(dict.fromkeys(table["column"].astype(str)))
    bands = [
        f"{column} is cut at {listed([f'{cut:g}' for cut in cuts])}"
        for column, cuts in results.config.evaluation.bands.items()
        if column in columns
    ]
    cut = f" ({'; '.join(bands)})" if bands else ""
    fewest = results.config.evaluation.smallest_subgroup
    return (
        f"AUC, sensitivity and specificity at each level of {listed(columns)}{cut}. A test of "
        f"interaction asks whether levels differ; levels with fewer than {fewest} patients of a "
        "class are marked as small and take no part in it. It is not corrected for how many such "
        "tests there are."
    )


def _usual_method(table: pd.DataFrame, *, test: str) -> str:
    """The method that most rows of a test used, without what differs from row to row."""
    methods = table.loc[table["test"] == test, "method"].dropna().astype(str)
    general = methods.str.replace(r"\s*\(.*?\)|[,;].*", "", regex=True)
    return str(general.mode().iloc[0]) if len(general) else ""


def _prose(method: str) -> str:
    return {
        "DeLong": "DeLong's paired test",
        "DeLong clustered by group": "DeLong's paired test, clustered by group",
        "McNemar exact": "McNemar's exact test",
        "paired t between groups": "a paired t test between groups",
        "paired t between patients": "a paired t test between patients",
    }.get(method, method)
