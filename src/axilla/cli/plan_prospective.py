"""What one may ask of `axilla plan` before there is a study, and the answer to it."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, get_args

from axilla.evaluation.planning.sample_size import (
    DEFAULT_CORRELATION,
    PairedAucs,
    SampleSize,
    Scores,
    auc_width,
    design_effect,
    difference_power,
    expected_width,
    patients_for_auc_width,
    patients_for_difference,
    patients_for_proportion_width,
    require_at_least,
    require_between,
    require_choice,
)
from axilla.records.errors import ConfigError, Problem

DEFAULT_PREVALENCE = 0.5
DEFAULT_POWER = 0.8
_OTHER_CORRELATIONS = (0.3, 0.7)
_EXAMPLES = (
    "Try `axilla plan --auc 0.80 --width 0.10`, `axilla plan --auc 0.75 --versus 0.80`, "
    "`axilla plan --sensitivity 0.85 --width 0.10`, or `axilla plan my-study`."
)


@dataclass(frozen=True, slots=True)
class PlanAnswer:
    """What to print, and the same as plain data."""

    lines: tuple[str, ...]
    data: dict[str, Any]


@dataclass(frozen=True, slots=True)
class PlanOptions:
    """The options of a plan that needs no study; None where one was not given."""

    auc: float | None = None
    versus: float | None = None
    sensitivity: float | None = None
    specificity: float | None = None
    width: float | None = None
    power: float | None = None
    patients: int | None = None
    alpha: float = 0.05
    prevalence: float | None = None
    correlation: float | None = None
    scores: str | None = None
    group_size: float | None = None
    group_correlation: float | None = None
    assurance: float | None = None

    @property
    def effect(self) -> float:
        """Return the design effect; 1 without groups."""
        if self.group_size is None or self.group_correlation is None:
            return 1.0
        return design_effect(self.group_size, correlation=self.group_correlation)

    @property
    def share_positive(self) -> float:
        """Return the prevalence, by default one half."""
        return DEFAULT_PREVALENCE if self.prevalence is None else self.prevalence

    def expectations(self) -> list[str]:
        """Return the options given that a finished study would tell by itself."""
        names = (
            *("auc", "versus", "sensitivity", "specificity", "prevalence", "correlation"),
            *("scores", "group_size", "group_correlation", "assurance"),
        )
        given = [name for name in names if getattr(self, name) is not None]
        return [f"--{name.replace('_', '-')}" for name in given]


def answer_of(wish: PlanOptions) -> PlanAnswer:
    """Return the plan; raise `ConfigError` with every contradiction among the options."""
    if problems := list(_contradictions(wish)):
        raise ConfigError(problems)
    if wish.versus is not None:
        answer = _difference(wish)
    elif wish.auc is not None:
        answer = _auc(wish)
    else:
        answer = _proportion(wish)
    return PlanAnswer((*answer.lines, *_footnotes(wish)), answer.data | _list_assumptions(wish))


def _contradictions(wish: PlanOptions) -> Iterator[Problem]:
    subjects = [
        f"--{name}"
        for name in ("auc", "sensitivity", "specificity")
        if getattr(wish, name) is not None
    ]
    if len(subjects) != 1:
        found = " and ".join(subjects) or "nothing to plan for"
        yield Problem("plan", found, "one of --auc, --sensitivity, --specificity", _EXAMPLES)
    comparing = wish.versus is not None
    if comparing and wish.auc is None:
        yield Problem("plan", "--versus without --auc", "both AUCs", "Add --auc.")
    if comparing and wish.width is not None:
        yield Problem(
            "plan", "--width with --versus", "one question at a time",
            "Leave --width out for the power of the comparison, --versus for the interval.",
        )  # fmt: skip
    asked = wish.power if comparing else wish.width
    name = "--power" if comparing else "--width"
    if asked is not None and wish.patients is not None:
        yield Problem(
            "plan", f"{name} with --patients", "one of them", "Each is the answer to the other."
        )
    if not comparing and subjects and wish.width is None and wish.patients is None:
        yield Problem("plan", "no goal", "--width, or --patients", "--width 0.10 is a start.")
    yield from _find_misplaced_options(wish, comparing=comparing)


def _find_misplaced_options(wish: PlanOptions, *, comparing: bool) -> Iterator[Problem]:
    """Options that the question does not have."""
    only_comparing = "a comparison: --auc and --versus"
    if not comparing and wish.power is not None:
        yield Problem("plan", "--power", only_comparing, "For an interval, give --width.")
    if not comparing and wish.correlation is not None:
        yield Problem("plan", "--correlation", only_comparing, "Leave it out.")
    if wish.scores is not None and (comparing or wish.auc is None):
        yield Problem("plan", "--scores", "the interval of one --auc", "Leave it out.")
    if wish.assurance is not None and (wish.auc is not None or wish.width is None):
        yield Problem(
            "plan", "--assurance", "--sensitivity or --specificity with --width", "Leave it out."
        )
    if (wish.group_size is None) != (wish.group_correlation is None):
        yield Problem(
            "plan", "one of --group-size and --group-correlation", "both, or none",
            "A group of one size can hold any correlation.",
        )  # fmt: skip


def _auc(wish: PlanOptions) -> PlanAnswer:
    auc = wish.auc or 0.0
    require_choice("scores", wish.scores or "exponential", get_args(Scores))
    asked: Scores = "normal" if wish.scores == "normal" else "exponential"
    other: Scores = "exponential" if wish.scores == "normal" else "normal"
    how = {"prevalence": wish.share_positive, "effect": wish.effect}
    if wish.patients is not None:
        plan = auc_width(auc, n=wish.patients, scores=asked, **how)
        rival = auc_width(auc, n=wish.patients, scores=other, **how)
        instead = f"{rival.reached:.3f}"
    else:
        width = wish.width or 0.0
        plan = patients_for_auc_width(auc, width=width, scores=asked, **how)
        rival = patients_for_auc_width(auc, width=width, scores=other, **how)
        instead = f"{rival.n:,} patients"
    source = "Hanley & McNeil 1982" if asked == "exponential" else "exact for such scores"
    wide = f"a 95 % interval {plan.reached:.3f} wide, from end to end"
    lines = (
        f"{_counts(plan)}: an AUC of {auc:g} has {wide}.",
        f"Scores are taken as {asked} ({source}); {other} ones would give {instead}.",
    )
    return PlanAnswer(lines, {"auc": auc, "scores": asked} | _numbers(plan, "width"))


def _difference(wish: PlanOptions) -> PlanAnswer:
    r = DEFAULT_CORRELATION if wish.correlation is None else wish.correlation
    one, other = wish.auc or 0.0, wish.versus or 0.0
    plan = _comparison(wish, r)
    first = (
        f"{_counts(plan)}: a paired test (DeLong, two-sided, alpha {wish.alpha:g}) finds the "
        f"difference between AUCs of {one:g} and {other:g} with a power of {plan.reached:.2f}."
    )
    others = [
        f"with {rival:g}: {found.reached:.2f}" if wish.patients else f"with {rival:g}: {found.n:,}"
        for rival, found in ((rival, _comparison(wish, rival)) for rival in _OTHER_CORRELATIONS)
    ]
    assumed = "assumed" if wish.correlation is None else "as given"
    second = (
        f"Correlation of the two models' scores within a class: {r:g}, {assumed} "
        f"({'; '.join(others)}). A finished study tells its own: `axilla plan DIR`."
    )
    data = {"auc": one, "versus": other, "correlation": r, "alpha": wish.alpha}
    return PlanAnswer((first, second), data | _numbers(plan, "power"))


def _comparison(wish: PlanOptions, correlation: float) -> SampleSize:
    pair = PairedAucs(wish.auc or 0.0, wish.versus or 0.0, correlation, correlation)
    how = {"prevalence": wish.share_positive, "alpha": wish.alpha, "effect": wish.effect}
    if wish.patients is not None:
        return difference_power(pair, n=wish.patients, **how)
    power = DEFAULT_POWER if wish.power is None else wish.power
    return patients_for_difference(pair, power=power, **how)


def _proportion(wish: PlanOptions) -> PlanAnswer:
    sensitivity = wish.sensitivity is not None
    name = "sensitivity" if sensitivity else "specificity"
    share = (wish.sensitivity if sensitivity else wish.specificity) or 0.0
    counted = wish.share_positive if sensitivity else 1 - wish.share_positive
    kind = "positive" if sensitivity else "negative"
    if wish.patients is not None:
        require_between("prevalence", wish.share_positive, 0, 1)
        require_at_least("patients", wish.patients, 1)
        size = max(1, round(wish.patients * counted))
        width = expected_width(share, trials=max(1, round(size / wish.effect)))
        line = (
            f"{wish.patients:,} patients, {size:,} of them {kind}: a {name} of {share:g} has a "
            f"95 % interval {width:.3f} wide, from end to end (Wilson, on average)."
        )
        numbers = {"n": wish.patients, f"n_{kind}": size, "width": width}
        return PlanAnswer((line,), {name: share} | numbers)
    plan = patients_for_proportion_width(
        share,
        width=wish.width or 0.0,
        class_share=counted,
        assurance=wish.assurance,
        effect=wish.effect,
    )
    sure = "on average" if wish.assurance is None else f"in {plan.reached:.0%} of studies"
    line = (
        f"{plan.n:,} patients, to have {plan.n_positive:,} {kind} ones: a {name} of {share:g} has "
        f"a 95 % interval at most {wish.width:g} wide, from end to end (Wilson, {sure})."
    )
    reached = {"assurance" if wish.assurance else "width": plan.reached}
    return PlanAnswer((line,), {name: share, "n": plan.n, f"n_{kind}": plan.n_positive} | reached)


def _footnotes(wish: PlanOptions) -> Iterator[str]:
    if wish.prevalence is None:
        yield f"Prevalence {DEFAULT_PREVALENCE:g}, assumed; give your own with --prevalence."
    if wish.group_size is None:
        yield (
            "Patients are taken as unrelated. If several share a donor or a family, "
            "add --group-size and --group-correlation."
        )
    else:
        yield (
            f"Groups of {wish.group_size:g} patients whose results correlate by "
            f"{wish.group_correlation:g}: {wish.effect:.2f} times the patients (Kish)."
        )


def _list_assumptions(wish: PlanOptions) -> dict[str, Any]:
    return {"prevalence": wish.share_positive, "design_effect": wish.effect}


def _counts(plan: SampleSize) -> str:
    return f"{plan.n:,} patients ({plan.n_positive:,} positive, {plan.n_negative:,} negative)"


def _numbers(plan: SampleSize, reached: str) -> dict[str, Any]:
    return {
        "n": plan.n,
        "n_positive": plan.n_positive,
        "n_negative": plan.n_negative,
        reached: plan.reached,
    }
