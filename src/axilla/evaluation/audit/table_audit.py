"""Audit of a published table: possible test sets and confusion matrices, and a null model.

A confusion matrix of n patients determines precision, recall, F1, accuracy, specificity and NPV,
and few fractions have a given set of printed digits. So printed figures tell the test set they
were computed on, columns that changed places, and single figures that are wrong. The idea is that
of the GRIM test (Brown & Heathers, Soc Psychol Personal Sci 2017;8:363), for whole tables.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Final, Literal

import numpy as np
from numpy.random import Generator

from axilla.evaluation.audit.auc_bounds import PairCount, pair_count
from axilla.evaluation.audit.interpretations import Windows, readings_of, windows_of
from axilla.evaluation.audit.matrices import weigh
from axilla.evaluation.audit.recovery import (
    CompleteSet,
    Halves,
    Recovered,
    SetAside,
    complete_sets,
    recover,
    set_aside,
)
from axilla.evaluation.audit.reported_table import ReportedModel, ReportedTable
from axilla.evaluation.audit.test_set_search import Explanation, Found, complete, search
from axilla.records.arrays import IntArray
from axilla.records.errors import ConfigError, Problem

_SHIFT: Final = 0.1  # figures stay in the neighbourhood of the printed ones
_DRAWS: Final = 100
_FEWEST_DRAWS: Final = 20
_WORK: Final = 1 << 16  # models x TP values of all draws together
Verdict = Literal[
    "consistent", "explained with faults", "partly explained", "contradicted", "not explained"
]
SMALLEST: Final = 10
LARGEST: Final = 2000
_LIMIT: Final = 10_000
_LEAST_LARGEST: Final = 100
_DECISIVE: Final = 3.0  # log10 of the Bayes factor
_SURE: Final = 0.95
_SEED: Final = 20250615


@dataclass(frozen=True, slots=True)
class Chance:
    """Figures explained in `draws` shifted copies of a table: their mean and their greatest."""

    mean: float
    greatest: int
    draws: int


def explained_by_chance(windows: Windows, *, n: int, positives: int, rng: Generator) -> Chance:
    """Count what a test set explains of copies whose figures are moved by up to 0.1, each alone.

    Copies are as long and as finely printed as the table but fit no test set, so what is explained
    is what matrices of this size explain of anything. Large test sets are tried fewer times, at
    least 20.
    """
    models = len(windows.shown)
    draws = int(np.clip(_WORK // (models * (positives + 1)), _FEWEST_DRAWS, _DRAWS))
    totals = []
    for _ in range(draws):
        units = windows.scale // 2
        most = np.maximum((units * _SHIFT).astype(np.int64), 1)
        places = (windows.low + 1) // 2 + rng.integers(-most, most + 1)
        places = np.abs(places)
        places = np.where(places > units, 2 * units - places, places)
        moved = 2 * (places - (windows.low + 1) // 2)
        copy = replace(windows, low=windows.low + moved, high=windows.high + moved)
        totals.append(int(weigh(copy, n=n, positives=positives).explained.sum()))
    return Chance(float(np.mean(totals)), max(totals), draws)


@dataclass(frozen=True, slots=True)
class TestSet:
    """One test set: its tables, explanations (most probable first), and what follows from the best.

    `size_probability` is that of the best explanation's n and positives under any reading,
    `reading_probability` that of its reading for any test set, both if one of those searched is
    right. `complete` counts the test sets that reproduce every figure under the best reading;
    `complete_sets` are up to 200 of them.
    """

    __test__ = False  # not a pytest class

    tables: tuple[str, ...]
    verdict: Verdict
    evidence: float
    explanations: tuple[Explanation, ...]
    size_probability: float
    reading_probability: float
    chance: Chance
    halves: Halves
    halves_told_by: int
    models: tuple[Recovered, ...]
    set_aside: tuple[SetAside, ...]
    auc_pairs: PairCount | None
    complete: int
    complete_sets: tuple[CompleteSet, ...]

    @property
    def best(self) -> Explanation:
        """Return the most probable explanation."""
        return self.explanations[0]

    @property
    def unique(self) -> bool:
        """Tell whether test set and reading are both at least 95 % probable."""
        return bool(min(self.size_probability, self.reading_probability) >= _SURE)


@dataclass(frozen=True, slots=True)
class Audit:
    """The audit of a whole file, of sizes `smallest` to `largest`.

    `evidence_shared` and `evidence_apart` are log10 Bayes factors of one test set for all tables
    and of one each, against arbitrary figures; None with a single table. `test_sets` are those of
    the likelier of the two. `unstated` is the best explanation where a stated size or number of
    positives is not believed, and `evidence_unstated` that of the search for it; None if nothing
    was stated.
    """

    source: str
    columns: tuple[str, ...]
    ignored: tuple[str, ...]
    smallest: int
    largest: int
    evidence_shared: float | None
    evidence_apart: float | None
    unstated: Explanation | None
    evidence_unstated: float | None
    test_sets: tuple[TestSet, ...]

    @property
    def is_explained(self) -> bool:
        """Tell whether every test set explains its tables, most figures and as stated."""
        return all(one.verdict in {"consistent", "explained with faults"} for one in self.test_sets)


def audit(
    reported: ReportedTable,
    *,
    smallest: int = SMALLEST,
    largest: int | None = None,
    n: int | None = None,
    positives: int | None = None,
) -> Audit:
    """Find the test set, matrices and reading of columns that explain a published table best.

    Sizes searched: `smallest` to `largest` patients, or `n` alone; by default up to 2000 or
    10^digits, above which any figure is possible. `positives` fixes the positive patients. What is
    so stated is contradicted if other test sets are a thousand times likelier. Models that called
    nobody positive are set aside. Tables are tried as one test set and as one each.
    Raise `ConfigError` if the range is not usable or no model is left.
    """
    sizes = _sizes(reported, smallest=smallest, largest=largest, n=n, positives=positives)
    models = _informing(reported)
    shared = search(models, reported.columns, sizes=sizes, positives=positives)
    apart = _apart(models, reported.columns, sizes=sizes, positives=positives)
    evidence_apart = sum(found.evidence for _, found in apart) if apart else None
    parts, evidence = [(models, shared)], shared.evidence
    if evidence_apart is not None and evidence_apart > evidence:
        parts, evidence = apart, evidence_apart
    stated = n is not None or positives is not None
    unstated = _without_statement(reported, models, n=n, largest=largest) if stated else None
    contradicted = unstated is not None and unstated.evidence - evidence >= _DECISIVE
    return Audit(
        source=reported.name,
        columns=reported.columns,
        ignored=reported.ignored,
        smallest=int(sizes[0]),
        largest=int(sizes[-1]),
        evidence_shared=shared.evidence if apart else None,
        evidence_apart=evidence_apart,
        unstated=unstated.explanations[0] if unstated else None,
        evidence_unstated=unstated.evidence if unstated else None,
        test_sets=tuple(_test_set(reported, part, contradicted=contradicted) for part in parts),
    )


def _informing(reported: ReportedTable) -> list[ReportedModel]:
    models = [model for model in reported.models if not model.one_class and model.figures]
    if not models:
        raise ConfigError(
            Problem(
                reported.name,
                "only models that called nobody positive, or without figures",
                "a model with recall above 0",
                "Other models do not determine a test set.",
            )
        )
    return models


def _apart(
    models: Sequence[ReportedModel],
    columns: Sequence[str],
    *,
    sizes: IntArray,
    positives: int | None,
) -> list[tuple[list[ReportedModel], Found]]:
    """Search a test set for each table alone; nothing if there is but one table."""
    names = dict.fromkeys(model.table for model in models)
    groups = [[m for m in models if m.table == name] for name in names if len(names) > 1]
    return [(group, search(group, columns, sizes=sizes, positives=positives)) for group in groups]


def _without_statement(
    reported: ReportedTable, models: Sequence[ReportedModel], *, n: int | None, largest: int | None
) -> Found:
    """Search the default sizes, and any number of positives, instead of what was stated."""
    sizes = _sizes(reported, smallest=min(n or SMALLEST, SMALLEST), largest=largest)
    return search(models, reported.columns, sizes=sizes)


def _sizes(
    reported: ReportedTable, *, smallest: int, largest: int | None, n: int | None = None,
    positives: int | None = None,
) -> IntArray:  # fmt: skip
    if n is not None:
        smallest = largest = n
    if largest is None:
        digits = max((f.digits for m in reported.models for f in m.figures.values()), default=0)
        largest = int(np.clip(10**digits, _LEAST_LARGEST, LARGEST))
        largest = max(largest, smallest)
    found = f"{smallest} to {largest} patients"
    if not 2 <= smallest <= largest <= _LIMIT:  # noqa: PLR2004 - one patient of each class
        raise ConfigError(Problem("sizes", found, f"a range within 2 to {_LIMIT}", "Mend it."))
    if positives is not None and not 1 <= positives < largest:
        raise ConfigError(
            Problem("--positives", str(positives), f"1 to {largest - 1}, as of {found}")
        )
    return np.arange(max(smallest, (positives or 0) + 1), largest + 1)


def _test_set(
    reported: ReportedTable, part: tuple[Sequence[ReportedModel], Found], *, contradicted: bool
) -> TestSet:
    models, found = part
    best = found.explanations[0]
    windows = windows_of(models, best.reading)
    recovered, halves, told_by = recover(models, best)
    tables = tuple(dict.fromkeys(model.table for model in models))
    others = [model for model in reported.models if model.one_class and model.table in tables]
    aucs = [model.auc for model in models if model.auc]
    count, sets = complete_sets(models, best.reading, found=found)
    rng = np.random.default_rng(_SEED)
    return TestSet(
        tables=tables,
        verdict=_verdict(models, found, contradicted=contradicted),
        evidence=found.evidence,
        explanations=found.explanations,
        size_probability=sum(
            one.probability
            for one in found.explanations
            if (one.n, one.positives) == (best.n, best.positives)
        ),
        reading_probability=sum(
            one.probability for one in found.explanations if one.reading == best.reading
        ),
        chance=explained_by_chance(windows, n=best.n, positives=best.positives, rng=rng),
        halves=halves,
        halves_told_by=told_by,
        models=recovered,
        set_aside=tuple(set_aside(model, best) for model in others),
        auc_pairs=pair_count(aucs, n=best.n, positives=best.positives),
        complete=count,
        complete_sets=sets,
    )


def _verdict(models: Sequence[ReportedModel], found: Found, *, contradicted: bool) -> Verdict:
    """Figures that are possible as printed are consistent, unless a fault is clearly likelier."""
    best = found.explanations[0]
    whole = [
        f
        for f in found.explanations
        if f.explained == f.figures and not f.reading.displaced_columns
    ]
    if contradicted:
        return "contradicted"
    if best in whole or any(one.probability >= 1 - _SURE for one in whole):
        return "consistent"
    if found.evidence >= _DECISIVE:
        return "explained with faults" if 2 * best.explained >= best.figures else "partly explained"
    possible = complete(
        windows_of(models, readings_of(best.reading.figures)[0]),
        sizes=found.sizes,
        positives=found.positives,
    )
    return "consistent" if len(possible[0]) else "not explained"


def audit_document(result: Audit) -> dict[str, Any]:
    """Return an audit as plain data for JSON, with each explanation's reading in words."""
    document = asdict(result)
    document["explained"] = result.is_explained
    for one, plain in zip(result.test_sets, document["test_sets"], strict=True):
        plain["unique"] = one.unique
        plain["explanations"] = [_explanation(found) for found in one.explanations]
    document["unstated"] = _explanation(result.unstated) if result.unstated else None
    return document


def _explanation(found: Explanation) -> dict[str, Any]:
    reading = found.reading
    columns = dict(zip(reading.figures, reading.columns, strict=True))
    words = {"name": reading.name, "rounding": reading.rounding, "columns": columns}
    return asdict(found) | {"reading": words}
