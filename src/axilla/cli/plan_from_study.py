"""What a finished study tells `axilla plan`: how many more patients like its own are needed."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations, product
from typing import Any

import pandas as pd

from axilla.cli.console import err, progress
from axilla.cli.pipeline import require_same_cohort
from axilla.cli.plan_prospective import PlanAnswer
from axilla.cohort.cohort_reader import read_cohort
from axilla.config.load import as_run, read_study
from axilla.config.study import StudyConfig
from axilla.evaluation.planning.from_study import (
    AucPrecision,
    PairPrecision,
    auc_precision,
    pair_precision,
)
from axilla.evaluation.planning.learning_curve import FITTED, GAIN, MEASURED, learning_curve_table
from axilla.evaluation.prediction_arrays import (
    ModelPredictions,
    check_predictions,
    model_predictions,
)
from axilla.records.errors import Problem, StudyError
from axilla.records.patients import Cohort
from axilla.records.prespecified import followed_models
from axilla.records.run_folder import RunFolder
from axilla.records.table_columns import (
    LEARNING_CURVE,
    LEARNING_CURVE_PREDICTIONS,
    PREDICTIONS,
    read_results,
)

DEFAULT_WIDTH = 0.10
DEFAULT_DIFFERENCE = 0.05
_CAVEAT = (
    "These standard errors are estimates themselves, hold for these models and this mix of "
    "patients, and say nothing of another hospital's. The gap that this study happened to find is "
    "no basis for planning: plan for the smallest one that would matter."
)


@dataclass(frozen=True, slots=True)
class StudyWish:
    """What a study's next one should reach."""

    width: float
    difference: float
    power: float
    alpha: float
    patients: int | None


def answer_of_study(folder: RunFolder, wish: StudyWish, *, learning_curve: bool) -> PlanAnswer:
    """Return what the study's own standard errors imply, and its learning curve if it has one.

    With `learning_curve` the curve is trained first. Raise `StudyError` without results, or if
    they are not this cohort's.
    """
    table = check_predictions(read_results(folder.table("predictions.csv"), PREDICTIONS))
    current = read_study(folder.root / "study.toml")
    made = as_run(current, folder)
    config = made.model_copy(update={"evaluation": current.evaluation, "compute": current.compute})
    cohort = read_cohort(config, folder.root, progress=progress)
    groups = {patient.patient_id: patient.group for patient in cohort}
    kinds = table.drop_duplicates("model")[["model", "kind"]].itertuples(index=False)
    models = {
        name: model_predictions(table[table["model"] == name], groups=groups)
        for name in followed_models((str(model), str(kind)) for model, kind in kinds)
    }
    if learning_curve:
        draw_learning_curve(config, folder, cohort)
    curve = folder.table("learning_curve.csv")
    drawn = read_results(curve, LEARNING_CURVE) if curve.is_file() else None
    answer = _plan_from_models(models, wish)
    if drawn is None:
        return answer
    points = drawn[drawn["metric"] != FITTED].astype(object)
    data = {"learning_curve": points.where(points.notna(), None).to_dict("records")}
    return PlanAnswer((*answer.lines, "", *_curve_lines(drawn)), answer.data | data)


def draw_learning_curve(config: StudyConfig, folder: RunFolder, cohort: Cohort) -> None:
    """Train on shares of the patients, finished trials again in no time; write the curve."""
    # torch takes seconds to import; a plan without training must not wait for it.
    from axilla.training.learning_curve_run import run_learning_curve  # noqa: PLC0415

    require_same_cohort(folder, cohort)
    for share in run_learning_curve(config, folder, cohort, progress):
        err.print(f"Share {share:g} left out: it leaves too few groups of a class to train on.")
    predictions = read_results(
        folder.table("learning_curve_predictions.csv"), LEARNING_CURVE_PREDICTIONS
    )
    groups = {patient.patient_id: patient.group for patient in cohort}
    table = learning_curve_table(predictions, groups=groups, seed=config.study.seed)
    folder.write_table("learning_curve.csv", table)
    err.print("Written: results/learning_curve.csv. `axilla report` puts it into the report.")


def _plan_from_models(models: Mapping[str, ModelPredictions], wish: StudyWish) -> PlanAnswer:
    alone = [found for model in models.values() if (found := auc_precision(model))]
    pairs = [pair for two in _pairs(models) if (pair := pair_precision(*two))]
    if not alone:
        raise StudyError(
            Problem("predictions.csv", "no model with an AUC that varies", "two groups per class")
        )
    lines = ["What this study's own standard errors imply, for more patients like these:"]
    for precision in alone:
        lines += ["", *_auc_lines(precision, wish)]
    for difference in pairs:
        lines += ["", *_pair_lines(difference, wish)]
    lines += [
        "",
        _CAVEAT,
    ]
    data = {
        "width": wish.width,
        "difference": wish.difference,
        "power": wish.power,
        "alpha": wish.alpha,
        "models": [_auc_data(precision, wish) for precision in alone],
        "pairs": [_pair_data(difference, wish) for difference in pairs],
    }
    return PlanAnswer(tuple(lines), data)


def _pairs(
    models: Mapping[str, ModelPredictions],
) -> Iterator[tuple[ModelPredictions, ModelPredictions]]:
    """Each fusion against each single modality; without fusion, all pairs."""
    fusions = [model for model in models.values() if model.kind == "fusion"]
    singles = [model for model in models.values() if model.kind != "fusion"]
    return product(fusions, singles) if fusions and singles else combinations(models.values(), 2)


def _auc_lines(precision: AucPrecision, wish: StudyWish) -> Iterator[str]:
    of_groups = f" in {precision.groups:,} groups" if precision.groups < precision.n else ""
    yield (
        f"{precision.model}: AUC {precision.auc:.3f} ({precision.low:.3f} to {precision.high:.3f})"
        f", {precision.n:,} patients{of_groups}"
    )
    if of_groups:
        yield (
            f"  worth {precision.effective_n:.0f} unrelated patients (design effect "
            f"{precision.effect:.1f}): more groups help, more patients of the same groups hardly."
        )
    needed = precision.patients_for_width(wish.width)
    yield f"  for an interval {wish.width:g} wide: {_patients(needed)}"
    if wish.patients is not None:
        yield f"  with {wish.patients:,}: {precision.width(wish.patients):.3f} wide"


def _pair_lines(pair: PairPrecision, wish: StudyWish) -> Iterator[str]:
    yield (
        f"{pair.one} minus {pair.other}: {pair.difference:+.3f}, standard error "
        f"{pair.standard_error:.3f}, correlation of the AUCs {pair.correlation:.2f}"
    )
    needed = pair.patients_for_difference(wish.difference, power=wish.power, alpha=wish.alpha)
    now = pair.power(wish.difference, n=pair.n, alpha=wish.alpha)
    yield (
        f"  to see a true difference of {wish.difference:g} with a power of {wish.power:g}: "
        f"{_patients(needed)}; these {pair.n:,} have a power of {now:.2f}"
    )
    if wish.patients is not None:
        then = pair.power(wish.difference, n=wish.patients, alpha=wish.alpha)
        yield f"  with {wish.patients:,}: a power of {then:.2f}"


def _patients(number: int | None) -> str:
    return "more than a million patients" if number is None else f"{number:,} patients like these"


def _auc_data(precision: AucPrecision, wish: StudyWish) -> dict[str, Any]:
    return {
        "model": precision.model,
        "n": precision.n,
        "groups": precision.groups,
        "auc": precision.auc,
        "low": precision.low,
        "high": precision.high,
        "standard_error": precision.standard_error,
        "design_effect": precision.effect,
        "effective_n": precision.effective_n,
        "patients_for_width": precision.patients_for_width(wish.width),
    } | ({} if wish.patients is None else {"width_then": precision.width(wish.patients)})


def _pair_data(pair: PairPrecision, wish: StudyWish) -> dict[str, Any]:
    how = {"power": wish.power, "alpha": wish.alpha}
    then = wish.patients
    return {
        "one": pair.one,
        "other": pair.other,
        "n": pair.n,
        "difference": pair.difference,
        "standard_error": pair.standard_error,
        "correlation": pair.correlation,
        "power_now": pair.power(wish.difference, n=pair.n, alpha=wish.alpha),
        "patients_for_difference": pair.patients_for_difference(wish.difference, **how),
    } | (
        {}
        if then is None
        else {"power_then": pair.power(wish.difference, n=then, alpha=wish.alpha)}
    )


def _curve_lines(table: pd.DataFrame) -> Iterator[str]:
    yield "Learning curve: AUC by number of training patients, tested on the same patients."
    for model, rows in table.groupby("model", sort=False):
        measured, gains = (rows[rows["metric"] == metric] for metric in (MEASURED, GAIN))
        points = "; ".join(_point(row) for row in measured.itertuples(index=False))
        yield f"{model}: {points}"
        for row in gains.itertuples(index=False):
            yield (
                f"  {row.training_patients:,} training patients would bring "
                f"{row.value:+.3f} ({row.low:+.3f} to {row.high:+.3f}), if the curve goes on as "
                "an inverse power law"
            )
        if gains.empty:
            yield "  no curve is fitted to fewer than four shares"


def _point(row: Any) -> str:
    return f"{row.training_patients:,}: {row.value:.3f} ({row.low:.3f} to {row.high:.3f})"
