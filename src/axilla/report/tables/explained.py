"""What `axilla explain` and `axilla review` left in results/, as the report reads it."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from axilla.evaluation.agreement.reader_comparisons import COMPARISON
from axilla.evaluation.agreement.reader_study import AGREEMENT
from axilla.explanation.heatmap_file import FOLDER, LEGEND, Legend, patients_in, read_legend
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
from axilla.report.number_format import listed

_METHODS: Mapping[str, str] = {
    "gradcam": "Grad-CAM",
    "layercam": "Layer-CAM",
    "rollout": "gradient attention rollout",
    "integrated": "integrated gradients",
}


@dataclass(frozen=True, slots=True)
class Explained:
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


def load_explained(folder: RunFolder) -> Explained:
    """Read what there is; raise `StudyError` for a file that is damaged."""
    maps = folder.results / FOLDER
    return Explained(
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
    return listed(names, word="or")


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
