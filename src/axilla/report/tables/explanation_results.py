"""Faithfulness results and explanation tables, as rows and sentences."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pandas as pd

from axilla.evaluation.agreement.reader_study import AGREEMENT, COMPARISON
from axilla.explanation.heatmap_file import FOLDER, LEGEND, Legend, patients_in, read_legend
from axilla.records.estimate import Estimate
from axilla.records.run_folder import RunFolder
from axilla.records.table_columns import (
    CLINICAL_IMPORTANCE,
    EXPLANATION,
    FAITHFULNESS,
    FAITHFULNESS_CURVES,
    SHAPLEY,
    SHAPLEY_SUMMARY,
    read_results,
)
from axilla.records.types import MODALITIES
from axilla.report.number_format import join_items, sentence

_METHODS: Mapping[str, str] = {
    "gradcam": "Grad-CAM",
    "layercam": "Layer-CAM",
    "rollout": "gradient attention rollout",
    "integrated": "integrated gradients",
}
_CHECKS: Final[Mapping[str, str]] = {
    "deletion_vs_random": "Deletion against random orders",
    "deletion_vs_edges": "Deletion against the image's edges",
    "insertion_vs_random": "Insertion against random orders",
    "insertion_vs_edges": "Insertion against the image's edges",
    "randomisation_signed": "Likeness to maps of shuffled weights",
    "randomisation_absolute": "The same, without signs",
    "stability_shift": "Likeness after a small shift",
    "stability_brightness": "Likeness when slightly darker",
    "agreement_integrated": "Likeness to integrated gradients",
}
_MEASURES: Final[Mapping[str, str]] = {
    "deletion": "difference of areas; has to be above 0",
    "insertion": "difference of areas; has to be above 0",
    "randomisation": "has to be below 0.5",
    "stability": "has to be above 0.5",
    "agreement": "no mark: a second opinion",
}
_UNSHOWN: Final = "were not shown to beat"
# What a failed check means, as the end of a sentence about the maps.
_FAILURES: Final[Mapping[str, str]] = {
    "deletion_vs_random": f"{_UNSHOWN} random orders when what they mark was removed",
    "deletion_vs_edges": f"{_UNSHOWN} the image's own edges when what they mark was removed",
    "insertion_vs_random": f"{_UNSHOWN} random orders when only what they mark was shown",
    "insertion_vs_edges": f"{_UNSHOWN} the image's own edges when only what they mark was shown",
    "randomisation_signed": "look much the same when the model's weights are shuffled",
    "randomisation_absolute": "mark much the same places when the model's weights are shuffled",
    "stability_shift": "change when the image moves a little",
    "stability_brightness": "change when the image gets a little darker",
}
_REGIONS: Final[Mapping[str, str]] = {
    "lesion": "Lesion",
    "core": "Lesion without its rim",
    "rim_inside": "Rim, inside the border",
    "rim_outside": "Rim, outside the border",
    "surroundings": "Around lesion and rim",
}
_KINDS: Final = ("positive", "absolute")


@dataclass(frozen=True, slots=True)
class ExplanationResults:
    """Tables of explanations, empty where there are none, and where each patient's maps lie.

    `legend` is None without heatmaps. `images` is explanation.csv.
    """

    legend: Legend | None
    maps: Mapping[str, Path]
    images: pd.DataFrame
    faithfulness: pd.DataFrame
    curves: pd.DataFrame
    shapley: pd.DataFrame
    shapley_summary: pd.DataFrame
    clinical: pd.DataFrame
    agreement: pd.DataFrame
    comparison: pd.DataFrame

    @property
    def shapley_columns(self) -> dict[str, str]:
        """The columns of `shapley` by modality, in the order a page lists modalities."""
        return {m: f"phi_{m}" for m in MODALITIES if f"phi_{m}" in self.shapley.columns}


def load_explained(folder: RunFolder) -> ExplanationResults:
    """Read what there is; raise `StudyError` for a file that is damaged."""
    maps = folder.results / FOLDER
    return ExplanationResults(
        legend=read_legend(maps) if (maps / LEGEND).is_file() else None,
        maps=patients_in(maps),
        images=_table(folder, "explanation.csv", EXPLANATION),
        faithfulness=_table(folder, "faithfulness.csv", FAITHFULNESS),
        curves=_table(folder, "faithfulness_curves.csv", FAITHFULNESS_CURVES),
        shapley=_table(folder, "shapley.csv", SHAPLEY),
        shapley_summary=_table(folder, "shapley_summary.csv", SHAPLEY_SUMMARY),
        clinical=_table(folder, "clinical_importance.csv", CLINICAL_IMPORTANCE),
        agreement=_table(folder, "review/agreement.csv", AGREEMENT),
        comparison=_table(folder, "review/comparison.csv", COMPARISON),
    )


def method_label(method: str) -> str:
    """Return how a page prints a method of heatmaps; folds may have needed different ones."""
    names = [_METHODS.get(one, one.replace("_", " ")) for one in method.split(", ")]
    return join_items(names, word="or")


def logit_text(value: float) -> str:
    """Print a quantity of the logit: two decimals are all that such numbers bear."""
    return f"{value:z.2f}".replace("-", "\N{MINUS SIGN}") if math.isfinite(value) else "–"  # noqa: RUF001


def signed_logit(value: float) -> str:
    """Print what something adds to the logit, with its sign."""
    text = logit_text(value)
    return f"+{text}" if value > 0 and float(f"{value:.2f}") else text


def _table(folder: RunFolder, name: str, columns: tuple[str, ...]) -> pd.DataFrame:
    path = folder.table(name)
    return read_results(path, columns) if path.is_file() else pd.DataFrame(columns=list(columns))


@dataclass(frozen=True, slots=True)
class Check:
    """One check: what was measured, and the verdict; None without enough patients."""

    name: str
    title: str
    measure: str
    estimate: Estimate
    passed: bool | None
    said: str

    @property
    def verdict(self) -> str:
        """The verdict in words."""
        if self.passed is None:
            return "finding" if self.name.startswith("agreement_") else "no verdict"
        return "passes" if self.passed else "fails"


@dataclass(frozen=True, slots=True)
class Faith:
    """All checks of one method on one modality."""

    modality: str
    method: str
    checks: tuple[Check, ...]

    @property
    def title(self) -> str:
        """The method and where it was used, as a heading."""
        return sentence(f"{method_label(self.method)} on {self.modality}")

    @property
    def judged_checks(self) -> tuple[Check, ...]:
        """The checks that have a verdict."""
        return tuple(check for check in self.checks if check.passed is not None)

    @property
    def failed_checks(self) -> tuple[Check, ...]:
        """The checks that the maps failed."""
        return tuple(check for check in self.checks if check.passed is False)

    @property
    def verdict(self) -> str:
        """One or two sentences on what the checks came to."""
        judged, failed = self.judged_checks, self.failed_checks
        if not judged:
            return f"{self.title} could not be judged: too few patients or groups."
        if not failed:
            return (
                f"{self.title} passes {_all(len(judged))}: its maps show what moves this "
                "model, which need not be what matters in the patient."
            )
        faults = join_items([_FAILURES.get(c.name, f"fail “{c.title}”") for c in failed])
        return (
            f"{self.title} fails {len(failed)} of {len(judged)} checks: its maps "
            f"{faults}. Do not read them as the model's reasons."
        )


@dataclass(frozen=True, slots=True)
class RegionEnrichment:
    """How much more attention a region gets than its area would: by what, and what is odd."""

    whose: str
    region: str
    estimates: tuple[Estimate | None, ...]
    remark: str


def faiths_of(table: pd.DataFrame) -> tuple[Faith, ...]:
    """Return the checks of faithfulness.csv by modality and method, in the table's order."""
    found: dict[tuple[str, str], list[Check]] = {}
    for row in table.to_dict("records"):
        name = str(row["check"])
        if _region_of(name) is None:
            found.setdefault((str(row["modality"]), str(row["method"])), []).append(_check(row))
    return tuple(Faith(*who, tuple(checks)) for who, checks in found.items())


def findings_of(table: pd.DataFrame) -> tuple[RegionEnrichment, ...]:
    """Return where attention lies, a row per method and region of faithfulness.csv."""
    rows: dict[tuple[str, str], dict[str, dict[Any, Any]]] = {}
    for row in table.to_dict("records"):
        place = _region_of(str(row["check"]))
        if place is not None:
            region, kind = place
            whose = sentence(f"{method_label(str(row['method']))} on {row['modality']}")
            rows.setdefault((whose, region), {})[kind] = row
    return tuple(
        RegionEnrichment(
            whose,
            _REGIONS[region],
            tuple(_estimate(kinds[kind]) if kind in kinds else None for kind in _KINDS),
            remark="; ".join(dict.fromkeys(_remarks(kinds.values()))),
        )
        for (whose, region), kinds in rows.items()
    )


def _check(row: Mapping[Any, Any]) -> Check:
    name, note = str(row["check"]), "" if pd.isna(row["note"]) else str(row["note"])
    head, _, said = note.partition("; ")
    passed = None if pd.isna(row["passed"]) else str(row["passed"]).casefold() in ("true", "1")
    # The verdict stands in its own column; of a contest, what it adds to one word stays.
    more = head.partition(": ")[2] if passed is False and "_vs_" in name else ""
    return Check(
        name,
        _CHECKS.get(name, sentence(name.replace("_", " "))),
        _MEASURES.get(name.split("_", 1)[0], ""),
        _estimate(row),
        passed,
        "; ".join(part for part in (more, said) if part),
    )


def _region_of(check: str) -> tuple[str, str] | None:
    """Return region and kind of a finding's name; None of a check."""
    region, _, kind = check.rpartition("_")
    return (region, kind) if region in _REGIONS and kind in _KINDS else None


def _remarks(rows: Any) -> Iterator[str]:
    for row in rows:
        note = "" if pd.isna(row["note"]) else str(row["note"])
        yield from (part for part in note.split("; ")[1:] if part)


def _estimate(row: Mapping[Any, Any]) -> Estimate:
    return Estimate(
        float(row["value"]), float(row["low"]), float(row["high"]), int(row["n"]), 0, ""
    )


def _all(count: int) -> str:
    return "its only check" if count == 1 else f"all {count} checks"
