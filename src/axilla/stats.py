"""Statistics of predictions for notebooks: every estimate with its interval, every test paired.

All functions take one value per patient. `groups` names what patients share, such as a donor or a
family; intervals and tests are then clustered by it. Intervals are 95 %, and conditional on the
fitted models. Equal arguments give equal results.

Example:
    >>> import axilla
    >>> print(axilla.stats.auc_ci([0, 0, 1, 1, 0, 1], [0.1, 0.4, 0.35, 0.8, 0.2, 0.7]))
    0.889 (0.261 to 0.995)
"""

from pathlib import Path
from typing import Final, Literal, get_args

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from axilla.cohort.tables.spreadsheet import make_sheet
from axilla.evaluation.agreement.kappa import agreement_interval
from axilla.evaluation.agreement.kappa import kappa as kappa_coefficient
from axilla.evaluation.argument_checks import (
    check_groups,
    check_labels,
    check_lengths,
    check_probabilities,
    check_scores,
)
from axilla.evaluation.audit.reported_table import parse_reported, read_reported
from axilla.evaluation.audit.table_audit import Audit
from axilla.evaluation.audit.table_audit import audit as audit_table
from axilla.evaluation.comparisons.paired_tests import Difference, auc_difference, share_difference
from axilla.evaluation.metrics.metrics_table import (
    RANKING_METRICS,
    THRESHOLD_METRICS,
    estimate_auc,
    metrics_of_predictions,
)
from axilla.evaluation.metrics.net_benefit import decision_curve as decision_points
from axilla.evaluation.metrics.net_benefit import threshold_grid, treat_all
from axilla.evaluation.prediction_arrays import ModelPredictions
from axilla.evaluation.table1.patient_table import table_one
from axilla.evaluation.table1.table1_columns import choose_columns, group_values, patient_frame
from axilla.records.estimate import Estimate

__all__ = [
    "Difference",
    "Estimate",
    "auc_ci",
    "audit",
    "call_metrics",
    "decision_curve",
    "delong_test",
    "kappa",
    "mcnemar_test",
    "probability_metrics",
    "table1",
]

Measure = Literal["accuracy", "recall", "specificity"]
_FEWEST: Final = 2
_THRESHOLD: Final = 0.5


def auc_ci(y_true: ArrayLike, score: ArrayLike, *, groups: ArrayLike | None = None) -> Estimate:
    """Area under the ROC curve with its interval by DeLong, or by Obuchowski with groups.

    Args:
        y_true: (n,) outcome, 0 or 1, or bool.
        score: (n,) score on any scale; higher is more positive.
        groups: (n,) what patients share; None makes each patient its own group.

    Returns:
        The AUC with its 95 % interval on the logit scale; NaN with one class.

    Raises:
        ValueError: An argument that cannot be used, by its name.

    Sources: DeLong et al., Biometrics 1988;44:837; Obuchowski, Biometrics 1997;53:567.

    Example:
        >>> print(auc_ci([0, 0, 1, 1, 0, 1], [0.1, 0.4, 0.35, 0.8, 0.2, 0.7]))
        0.889 (0.261 to 0.995)
    """
    return estimate_auc(_arrange(y_true, check_scores("score", score), groups=groups))


def probability_metrics(
    y_true: ArrayLike,
    probability: ArrayLike,
    *,
    groups: ArrayLike | None = None,
    random_state: int = 0,
) -> dict[str, Estimate]:
    """Discrimination and calibration of predicted probabilities, each with its interval.

    Args:
        y_true: (n,) outcome, 0 or 1, or bool.
        probability: (n,) predicted probability of outcome 1, from 0 to 1.
        groups: (n,) what patients share; None makes each patient its own group.
        random_state: Seed of the bootstrap.

    Returns:
        `auc`, `average_precision`, `brier`, `ece` (expected calibration error),
        `calibration_intercept` and `calibration_slope`.

    Raises:
        ValueError: An argument that cannot be used, by its name.

    Example:
        >>> found = probability_metrics([0, 0, 1, 1, 0, 1], [0.1, 0.4, 0.35, 0.8, 0.2, 0.7])
        >>> round(found["brier"].value, 3)
        0.127
    """
    predictions = _arrange(y_true, check_probabilities("probability", probability), groups=groups)
    found = metrics_of_predictions(predictions, rng=np.random.default_rng(random_state))
    return {name: estimate for name, estimate in found if name in RANKING_METRICS}


def call_metrics(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    *,
    groups: ArrayLike | None = None,
    random_state: int = 0,
) -> dict[str, Estimate]:
    """Metrics of yes-or-no calls, each with its interval.

    Args:
        y_true: (n,) outcome, 0 or 1, or bool.
        y_pred: (n,) call, 0 or 1, or bool.
        groups: (n,) what patients share; None makes each patient its own group.
        random_state: Seed of the bootstrap.

    Returns:
        `accuracy`, `precision`, `recall` (sensitivity), `specificity`, `npv`, `f1`,
        `balanced_accuracy`, `mcc`, `lr_positive` and `lr_negative`.

    Raises:
        ValueError: An argument that cannot be used, by its name.

    Example:
        >>> print(call_metrics([0, 0, 1, 1, 0, 1], [0, 1, 0, 1, 0, 1])["recall"])
        0.667 (0.208 to 0.939)
    """
    calls = check_labels("y_pred", y_pred).astype(np.float64)
    predictions = _arrange(y_true, calls, groups=groups, name="y_pred", kind="reader")
    found = metrics_of_predictions(predictions, rng=np.random.default_rng(random_state))
    return {name: estimate for name, estimate in found if name in THRESHOLD_METRICS}


def decision_curve(
    y_true: ArrayLike,
    probability: ArrayLike,
    *,
    thresholds: ArrayLike | None = None,
    groups: ArrayLike | None = None,
    random_state: int = 0,
) -> pd.DataFrame:
    """Net benefit of acting on a model at each threshold probability.

    Args:
        y_true: (n,) outcome, 0 or 1, or bool.
        probability: (n,) predicted probability of outcome 1, from 0 to 1.
        thresholds: (k,) threshold probabilities between 0 and 1; None takes 0.01 to 0.99.
        groups: (n,) what patients share; None makes each patient its own group.
        random_state: Seed of the bootstrap.

    Returns:
        One row per threshold: `threshold`, `net_benefit`, `low`, `high`, `treat_all`.

    Raises:
        ValueError: An argument that cannot be used, by its name.

    Source: Vickers & Elkin, Med Decis Making 2006;26:565.

    Example:
        >>> curve = decision_curve([0, 1, 0, 1], [0.2, 0.9, 0.4, 0.6], thresholds=[0.5])
        >>> float(curve["net_benefit"].iloc[0])
        0.5
    """
    predictions = _arrange(y_true, check_probabilities("probability", probability), groups=groups)
    grid = (
        threshold_grid(0.01, 0.99) if thresholds is None else check_scores("thresholds", thresholds)
    )
    if grid.min() <= 0 or grid.max() >= 1:
        raise ValueError("thresholds must lie between 0 and 1, without 0 and 1 themselves.")
    rng = np.random.default_rng(random_state)
    values, intervals = decision_points(predictions, thresholds=grid, rng=rng)
    return pd.DataFrame(
        {
            "threshold": grid,
            "net_benefit": values,
            "low": [interval.low for interval in intervals],
            "high": [interval.high for interval in intervals],
            "treat_all": treat_all(predictions.labels, thresholds=grid),
        }
    )


def delong_test(
    y_true: ArrayLike, score_a: ArrayLike, score_b: ArrayLike, *, groups: ArrayLike | None = None
) -> Difference:
    """Paired comparison of two AUCs on the same patients.

    Args:
        y_true: (n,) outcome, 0 or 1, or bool.
        score_a: (n,) score of the first model, on any scale; higher is more positive.
        score_b: (n,) score of the second model.
        groups: (n,) what patients share; the covariance is then Obuchowski's.

    Returns:
        AUC of the first minus AUC of the second, 95 % interval, statistic and two-sided p.

    Raises:
        ValueError: An argument that cannot be used, by its name.

    Sources: DeLong et al., Biometrics 1988;44:837; Obuchowski, Biometrics 1997;53:567.

    Example:
        >>> y = [0, 0, 1, 1, 0, 1, 0, 1]
        >>> a = [0.1, 0.4, 0.35, 0.8, 0.2, 0.7, 0.3, 0.9]
        >>> b = [0.3, 0.2, 0.4, 0.6, 0.5, 0.1, 0.2, 0.8]
        >>> round(delong_test(y, a, b).estimate, 4)
        0.25
    """
    one, other = (
        _arrange(y_true, check_scores(name, score), groups=groups, name=name)
        for name, score in (("score_a", score_a), ("score_b", score_b))
    )
    return auc_difference(one, other)


def mcnemar_test(
    y_true: ArrayLike,
    y_pred_a: ArrayLike,
    y_pred_b: ArrayLike,
    *,
    measure: Measure = "accuracy",
    groups: ArrayLike | None = None,
) -> Difference:
    """Paired comparison of two models' calls on the same patients.

    Args:
        y_true: (n,) outcome, 0 or 1, or bool.
        y_pred_a: (n,) call of the first model, 0 or 1, or bool.
        y_pred_b: (n,) call of the second model.
        measure: What is compared: accuracy, recall (sensitivity) or specificity.
        groups: (n,) what patients share; the test is then a t test between groups.

    Returns:
        First minus second, 95 % interval (Newcombe), statistic and two-sided exact p.

    Raises:
        ValueError: An argument that cannot be used, by its name.

    Sources: McNemar, Psychometrika 1947;12:153; Newcombe, Stat Med 1998;17:2635, method 10.

    Example:
        >>> mcnemar_test([0, 0, 1, 1, 1], [0, 0, 1, 1, 1], [1, 0, 0, 1, 0]).p
        0.25
    """
    if measure not in get_args(Measure):
        raise ValueError(f"measure must be one of {', '.join(get_args(Measure))}.")
    one, other = (
        _arrange(
            y_true,
            check_labels(name, calls).astype(np.float64),
            groups=groups,
            name=name,
            kind="reader",
        )
        for name, calls in (("y_pred_a", y_pred_a), ("y_pred_b", y_pred_b))
    )
    return share_difference(one, other, name=measure)


def kappa(ratings: ArrayLike, *, groups: ArrayLike | None = None) -> Estimate:
    """Cohen's kappa of two readers, or Fleiss' kappa of more.

    Args:
        ratings: (subjects, readers) categories of any type; None or NaN where a reader gave none.
        groups: (subjects,) what subjects share, such as a patient with several images.

    Returns:
        Kappa with its 95 % interval; `n` counts subjects with two ratings or more.

    Raises:
        ValueError: An argument that cannot be used, by its name.

    Sources: Cohen, Educ Psychol Meas 1960;20:37; Fleiss, Psychol Bull 1971;76:378.

    Example:
        >>> round(kappa([[1, 1], [0, 0], [1, 0], [0, 0], [1, 1], [1, 1]]).value, 3)
        0.667
    """
    table = pd.DataFrame(np.asarray(ratings))
    if np.ndim(ratings) != _FEWEST or table.shape[1] < _FEWEST:
        raise ValueError(
            "ratings must have one row per subject and one column per reader, two or more."
        )
    codes, levels = pd.factorize(table.to_numpy().ravel())
    numbers = np.where(codes < 0, np.nan, codes).reshape(table.shape)
    found = kappa_coefficient(numbers, categories=max(len(levels), _FEWEST))
    clusters = None if groups is None else check_groups("groups", groups, n=len(table))
    if clusters is not None:
        check_lengths({"ratings": table.to_numpy(), "groups": clusters})
    interval = agreement_interval(found, clusters=clusters)
    return Estimate(
        value=found.value,
        low=interval.low,
        high=interval.high,
        n=found.n,
        n_positive=0,
        method=f"{found.name}; {interval.method}",
    )


def table1(frame: pd.DataFrame, by: str, *, groups: str | None = None) -> pd.DataFrame:
    """Table 1: patients described group by group, and whether the groups differ.

    Args:
        frame: One row per patient; a column is a number or a category as in `axilla table1`.
        by: Column that names the group; patients without one are left out.
        groups: Column of what patients share, for tests by cluster.

    Returns:
        One row per variable or level, every cell as text: overall, each group, missing, p, test
        and standardised mean difference.

    Raises:
        ValueError: A column that is not there, or fewer than two groups.
        CohortError: More than 10 groups, or a column that cannot be compared.

    Example:
        >>> frame = pd.DataFrame({"alnm": [0, 1, 0, 1], "age": [40.0, 50.0, 45.0, 61.0]})
        >>> table1(frame, by="alnm").columns[3]
        '0 (n = 2)'
    """
    roles = {by: "it makes the groups"} | ({groups: "patients share it"} if groups else {})
    if missing := [name for name in roles if name not in frame.columns]:
        raise ValueError(f"frame has no column {', '.join(missing)}.")
    if frame[by].nunique() < _FEWEST:
        raise ValueError(f"by must name two groups or more; {by} has {frame[by].nunique()}.")
    others = [str(name) for name in frame.columns if name not in roles]
    if not others:
        raise ValueError("frame has no column to compare.")
    cells = patient_frame(make_sheet("frame", _as_text(frame)))
    chosen = choose_columns(cells, roles, source="frame", columns=others)
    return table_one(
        cells,
        group_values(cells, by, source="frame"),
        kinds=chosen.kinds,
        clusters=cells[groups] if groups else None,
    )


def audit(
    table: pd.DataFrame | Path | str, *, n: int | None = None, positives: int | None = None
) -> Audit:
    """Find the test set and confusion matrices that a published table of metrics can come from.

    Args:
        table: One row per model: `model` and at least two metrics as printed, as text so that
            0.90 stays 0.90; or the path of a CSV or Excel file.
        n: Number of patients, if the publication says.
        positives: Number of positive patients, if the publication says.

    Returns:
        The likeliest test sets, each model's confusion matrix, and what contradicts them.

    Raises:
        ConfigError: A table that cannot be read, with every fault.

    Example:
        >>> printed = {"model": ["A", "B"], "accuracy": ["0.85", "0.90"], "recall": ["0.8", "0.9"]}
        >>> audit(pd.DataFrame(printed), n=40, positives=20).test_sets[0].best.n
        40
    """
    if isinstance(table, pd.DataFrame):
        return audit_table(parse_reported("table", _as_text(table)), n=n, positives=positives)
    return audit_table(read_reported(Path(table)), n=n, positives=positives)


def _as_text(frame: pd.DataFrame) -> list[list[str]]:
    """Return the header and the rows of a frame as the cells of a spreadsheet."""
    rows = [
        ["" if pd.isna(cell) else str(cell) for cell in row]
        for row in frame.astype(object).to_numpy()
    ]
    return [[str(name) for name in frame.columns], *rows]


def _arrange(
    y_true: ArrayLike,
    score: NDArray[np.float64],
    *,
    groups: ArrayLike | None,
    name: str = "score",
    kind: Literal["fusion", "reader"] = "fusion",
) -> ModelPredictions:
    labels = check_labels("y_true", y_true)
    arrays = {"y_true": labels, name: score}
    if groups is not None:
        arrays["groups"] = np.asarray(groups)
    check_lengths(arrays)
    return ModelPredictions(
        model=name,
        kind=kind,
        patients=tuple(map(str, range(len(labels)))),
        labels=labels,
        clusters=check_groups("groups", groups, n=len(labels)),
        probabilities=score[None],
        calls=(score >= _THRESHOLD).astype(np.float64)[None],
        folds=np.zeros((1, len(labels))),
    )
