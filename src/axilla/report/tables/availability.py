"""The table of fusions by what each prediction was made from."""

from dataclasses import dataclass

import pandas as pd

from axilla.records.estimate import Estimate
from axilla.report.study_results import StudyResults, estimate_of


@dataclass(frozen=True, slots=True)
class Pattern:
    """One column: what was shown, whether something was withheld, in how many patients."""

    title: str
    about: str
    n: int
    n_positive: int


@dataclass(frozen=True, slots=True)
class AvailabilityTable:
    """AUC of each fusion (rows) from each choice of modalities (columns)."""

    patterns: tuple[Pattern, ...]
    rows: tuple[tuple[str, tuple[Estimate | None, ...]], ...]
    taught: bool
    """Whether fusion was trained on incomplete cases too."""


def availability_table(results: StudyResults) -> AvailabilityTable | None:
    """Return the table, or None where every prediction was made from the same modalities."""
    auc = results.availability[results.availability["metric"] == "auc"]
    pairs = zip(auc["withheld"].astype(int), auc["shown"].astype(str), strict=True)
    keys = list(dict.fromkeys(pairs))
    if len(keys) < 2:  # noqa: PLR2004
        return None
    keys.sort(key=lambda key: (key[0], -key[1].count("+")))
    cells = {
        (str(row["model"]), (int(row["withheld"]), str(row["shown"]))): row
        for row in auc.to_dict("records")
    }
    titles = {entry.name: entry.title for entry in results.entries}
    models = list(dict.fromkeys(auc["model"]))
    return AvailabilityTable(
        patterns=tuple(_pattern(key, auc) for key in keys),
        rows=tuple(
            (titles.get(model, model), tuple(estimate_of(cells.get((model, k))) for k in keys))
            for model in models
        ),
        taught=results.config.training.modality_dropout > 0,
    )


def _pattern(key: tuple[int, str], auc: pd.DataFrame) -> Pattern:
    withheld, shown = key
    names = shown.split("+")
    rows = auc[(auc["withheld"] == withheld) & (auc["shown"] == shown)]
    only = " only" if len(names) == 1 else ""
    return Pattern(
        title=" + ".join(names).capitalize() + only,
        about="the rest withheld" if withheld else "all they have",
        n=int(rows["n"].iloc[0]),
        n_positive=int(rows["n_positive"].iloc[0]),
    )
