"""Who trains and who tests: outer folds, inner folds, each split proven free of leakage."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import pandas as pd

from axilla.cohort.splits.group_sampling import draw_folds, draw_holdout, seed_of
from axilla.config.study import ValidationSection
from axilla.records.errors import CohortError, LeakageError, Problem
from axilla.records.table_columns import SPLITS

_ATTEMPTS = 20
_CLASSES = (0, 1)
_FEWEST_GROUPS = 2
_SHOWN = 10
_TWO_EACH = "at least 2 groups with each outcome, so that both stand in every training set"


@dataclass(frozen=True, slots=True)
class Split:
    """Positions of the patients on each side, sorted."""

    train: tuple[int, ...]
    test: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Fold:
    """One outer split and the inner splits of its training set; repeat and fold count from 1.

    Inner positions refer to the same list of patients as outer ones.
    """

    repeat: int
    fold: int
    name: str
    outer: Split
    inner: tuple[Split, ...]


@dataclass(frozen=True, slots=True)
class _Patients:
    """Label and group of every patient, by position."""

    labels: Sequence[int]
    groups: Sequence[str]

    def groups_with(self, positions: Iterable[int], *, label: int) -> int:
        """Count the groups that hold a patient of this class."""
        return len({self.groups[i] for i in positions if self.labels[i] == label})

    def classes(self, positions: Iterable[int]) -> set[int]:
        """Return the classes that occur."""
        return {self.labels[i] for i in positions}


def plan_folds(
    *,
    labels: Sequence[int],
    groups: Sequence[str],
    sites: Sequence[str | None],
    validation: ValidationSection,
    seed: int,
) -> tuple[Fold, ...]:
    """Return every outer fold of every repeat, each with its inner folds.

    No patient or group stands on both sides of a split, and every training set has both classes.
    With nested_cv and site, every patient is tested once per repeat; leaving a site out, training
    also leaves out patients elsewhere whose group occurs there. Raises `CohortError` if the
    patients are too few for the scheme, `LeakageError` if a split is not clean.
    """
    patients = _Patients(labels, groups)
    folds: list[Fold] = []
    for repeat in range(1, validation.repeats + 1):
        named = _outer(patients, sites, validation=validation, seed=seed_of(seed, repeat))
        for number, (name, outer) in enumerate(named, start=1):
            prefix = f"repeat {repeat}, " if validation.repeats > 1 else ""
            inner = plan_inner(
                outer.train,
                labels=labels,
                groups=groups,
                folds=validation.inner_folds,
                seed=seed_of(seed, repeat, number),
            )
            folds.append(Fold(repeat, number, name=f"{prefix}{name}", outer=outer, inner=inner))
    return tuple(folds)


def plan_inner(
    positions: Sequence[int],
    *,
    labels: Sequence[int],
    groups: Sequence[str],
    folds: int,
    seed: int,
) -> tuple[Split, ...]:
    """Split the patients at `positions` into up to `folds` inner folds, at least two.

    Uses fewer folds where a class has fewer groups. Raises `CohortError` if two are too many.
    """
    patients = _Patients(labels, groups)
    fewest = min(patients.groups_with(positions, label=label) for label in _CLASSES)
    for count in range(min(folds, fewest), 1, -1):
        if splits := _cross(positions, patients, folds=count, seed=seed, place="inner folds"):
            return splits
    raise _too_few(patients, positions, place="inner folds", expected=_TWO_EACH)


def split_table(folds: Iterable[Fold], patient_ids: Sequence[str]) -> pd.DataFrame:
    """Return splits.csv: patient, repeat, fold and role (train or test) of every outer split."""
    rows = [
        (patient_ids[position], fold.repeat, fold.fold, role)
        for fold in folds
        for role, positions in (("train", fold.outer.train), ("test", fold.outer.test))
        for position in positions
    ]
    return pd.DataFrame(rows, columns=list(SPLITS))


def _outer(
    patients: _Patients,
    sites: Sequence[str | None],
    *,
    validation: ValidationSection,
    seed: int,
) -> list[tuple[str, Split]]:
    if validation.scheme == "site":
        return _leave_site_out(patients, sites)
    everyone = range(len(patients.labels))
    if min(patients.groups_with(everyone, label=label) for label in _CLASSES) < _FEWEST_GROUPS:
        raise _too_few(
            patients, everyone, place="study.toml, validation.scheme", expected=_TWO_EACH
        )
    if validation.scheme == "holdout":
        return [("holdout", _holdout(patients, share=validation.test_share, seed=seed))]
    splits = _cross(everyone, patients, folds=validation.folds, seed=seed, place="folds")
    if not splits:
        raise _too_few(
            patients,
            everyone,
            place="study.toml, validation.folds",
            expected=f"{validation.folds} folds of whole groups, both outcomes outside each",
        )
    return [(f"fold {number}", split) for number, split in enumerate(splits, start=1)]


def _cross(
    positions: Sequence[int], patients: _Patients, *, folds: int, seed: int, place: str
) -> tuple[Split, ...]:
    """Return a cross-validation with both classes in every training set; () if none is found."""
    labels = [patients.labels[i] for i in positions]
    groups = [patients.groups[i] for i in positions]
    if len(set(groups)) < folds or max(labels.count(label) for label in _CLASSES) < folds:
        return ()
    for attempt in range(_ATTEMPTS):
        drawn = draw_folds(labels, groups, folds=folds, seed=seed_of(seed, attempt))
        tests = [{positions[i] for i in test} for test in drawn]
        if all(
            test and patients.classes(i for i in positions if i not in test) == set(_CLASSES)
            for test in tests
        ):
            return tuple(_split(positions, test, patients=patients, place=place) for test in tests)
    return ()


def _holdout(patients: _Patients, *, share: float, seed: int) -> Split:
    everyone = range(len(patients.labels))
    drawn = draw_holdout(patients.labels, patients.groups, share=share, seed=seed)
    test = {int(i) for i in drawn}
    if patients.classes(test) != set(_CLASSES):
        raise _too_few(
            patients,
            everyone,
            place="study.toml, validation.test_share",
            expected=f"groups small enough for a test set of {share:.0%} with both outcomes",
        )
    return _split(everyone, test, patients=patients, place="holdout")


def _leave_site_out(patients: _Patients, sites: Sequence[str | None]) -> list[tuple[str, Split]]:
    known = sorted({site for site in sites if site is not None})
    if None in sites or len(known) < _FEWEST_GROUPS:
        raise CohortError(
            Problem(
                "study.toml, validation.scheme",
                f"{len(known)} sites, and {list(sites).count(None)} patients without a site",
                "at least 2 sites, and a site for every patient with an outcome",
                "Fill in the site column, or choose scheme = 'nested_cv'.",
            )
        )
    folds = []
    for site in known:
        test = {i for i, other in enumerate(sites) if other == site}
        there = {patients.groups[i] for i in test}
        kept = [i for i, group in enumerate(patients.groups) if i in test or group not in there]
        folds.append((site, _split(kept, test, patients=patients, place=f"site {site}")))
    return folds


def _split(positions: Iterable[int], test: set[int], *, patients: _Patients, place: str) -> Split:
    """Return the split of `positions` into `test` and the rest, proven clean and trainable."""
    train = {i for i in positions if i not in test}
    on_both = train & test
    shared = {patients.groups[i] for i in train} & {patients.groups[i] for i in test}
    if on_both or shared:
        listed = ", ".join(sorted(shared)[:_SHOWN])
        raise LeakageError(
            Problem(place, f"groups in training and test: {listed}", "every group on one side")
        )
    if patients.classes(train) != set(_CLASSES):
        raise _too_few(
            patients, train, place=f"{place}, training set", expected="both outcomes in it"
        )
    return Split(tuple(sorted(train)), tuple(sorted(test)))


def _too_few(
    patients: _Patients, positions: Sequence[int] | set[int], *, place: str, expected: str
) -> CohortError:
    found = " and ".join(
        f"{patients.groups_with(positions, label=label)} groups with outcome {label}"
        for label in _CLASSES
    )
    total = len({patients.groups[i] for i in positions})
    return CohortError(
        Problem(
            place,
            f"{found}, of {total} groups in all",
            expected,
            "Add patients, choose fewer folds or another scheme, or check the grouping columns: "
            "patients that share a value in one of them form one group.",
        )
    )
