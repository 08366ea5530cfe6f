"""The explanation stage: patients' maps by the model that did not see them, and their tests."""

import time
from collections.abc import Iterable, Sequence
from dataclasses import astuple, fields

import numpy as np
import pandas as pd

from axilla.explanation.faithfulness.checks import table, verdicts
from axilla.explanation.faithfulness.chosen import drawn
from axilla.explanation.faithfulness.curve_table import curve_table
from axilla.explanation.heatmap_file import (
    FOLDER,
    HeatmapFile,
    Legend,
    file_name,
    patients_in,
    write_heatmaps,
    write_legend,
)
from axilla.explanation.out_of_fold import FoldMaps, ImageRow, OutOfFold, Wishes, explain_fold
from axilla.explanation.shapley_tables import clinical_table, shapley_summary, shapley_table
from axilla.records.digests import seed_of
from axilla.records.folder import RunFolder
from axilla.records.patients import Patient
from axilla.records.progress import Progress
from axilla.records.study import StudyConfig
from axilla.records.units import IMAGE_MODALITIES, ImageModality

_DECOYS = 50
_SCALE_PERCENT = 99
TABLES = (
    *("explanation.csv", "faithfulness.csv", "faithfulness_curves.csv"),
    *("shapley.csv", "shapley_summary.csv", "clinical_importance.csv"),
)


def explain(
    config: StudyConfig, folder: RunFolder, models: Sequence[OutOfFold], progress: Progress
) -> None:
    """Map every patient's images out of fold, test the maps, and write what was found.

    Writes heatmaps/*.npz with explanation.json, explanation.csv and faithfulness.csv, and what
    was done into provenance.json; of an earlier run nothing is left. Raises `UnreadableImage` or
    `RoiError`.
    """
    started = time.perf_counter()
    _forget(folder)
    chosen = _chosen([patient for model in models for patient in model.patients], config)
    if not chosen:
        return
    names = _names(chosen)
    wishes = _wishes(chosen, config)
    done: list[tuple[str, FoldMaps]] = []
    with progress.task("Explaining", total=len(chosen)) as advance:
        for model in models:
            mine = [patient for patient in model.patients if patient.patient_id in names]
            if mine:
                done.append((model.fold, explain_fold(model, mine, wishes)))
                _write_maps(folder, done[-1][1])
                advance(len(mine))
    _write(folder, done, seconds=time.perf_counter() - started)


def _forget(folder: RunFolder) -> None:
    for name in TABLES:
        folder.table(name).unlink(missing_ok=True)
    for path in patients_in(folder.results / FOLDER).values():
        path.unlink()


def _seed(config: StudyConfig, purpose: str) -> int:
    return seed_of(config.study.seed, "explanation", purpose)


def _chosen(patients: Sequence[Patient], config: StudyConfig) -> Sequence[Patient]:
    count = config.explanation.patients
    with_image = [p for p in patients if any(p.images(m) for m in IMAGE_MODALITIES)]
    if count is None:
        return with_image
    return drawn(with_image, count=count, seed=_seed(config, "patients"))


def _wishes(patients: Sequence[Patient], config: StudyConfig) -> Wishes:
    tested = drawn(
        patients, count=config.explanation.faithfulness_cases, seed=_seed(config, "faithfulness")
    )
    return Wishes(
        config.explanation.method,
        decoyed=_names(drawn(patients, count=_DECOYS, seed=_seed(config, "decoys"))),
        checked=_names(tested),
        images=config.explanation.images,
        seed=_seed(config, "shuffles"),
    )


def _names(patients: Iterable[Patient]) -> frozenset[str]:
    return frozenset(patient.patient_id for patient in patients)


def _write_maps(folder: RunFolder, found: FoldMaps) -> None:
    for patient_id, maps in found.maps.items():
        if maps:
            write_heatmaps(folder.results / FOLDER / file_name(patient_id), HeatmapFile(maps))


def _write(folder: RunFolder, done: Sequence[tuple[str, FoldMaps]], *, seconds: float) -> None:
    legend = _legend([found for _, found in done])
    write_legend(folder.results / FOLDER, legend)
    columns = ["fold", "model", *(one.name for one in fields(ImageRow))]
    rows = [(fold, found.model, *astuple(row)) for fold, found in done for row in found.rows]
    folder.write_table("explanation.csv", pd.DataFrame(rows, columns=columns))
    tested = [one for _, found in done for one in found.tested]
    if tested:
        folder.write_table("faithfulness.csv", table(verdicts(tested)))
        folder.write_table("faithfulness_curves.csv", curve_table(tested))
    _write_shapley(folder, [found for _, found in done])
    folder.update_json(
        "provenance.json",
        {
            "heatmaps": {
                "model": legend.model,
                "method": dict(legend.method),
                "patients": sum(len(found.maps) for _, found in done),
                "tested": len({one.patient_id for one in tested}),
                "seconds": round(seconds, 1),
            }
        },
    )


def _write_shapley(folder: RunFolder, done: Sequence[FoldMaps]) -> None:
    parts = [(found.shapley, found.patients) for found in done]
    folder.write_table("shapley.csv", shapley_table(parts))
    folder.write_table("shapley_summary.csv", shapley_summary(parts))
    clinical = [(found.clinical, found.patients) for found in done if found.clinical is not None]
    if clinical:
        folder.write_table("clinical_importance.csv", clinical_table(clinical))


def _legend(found: Sequence[FoldMaps]) -> Legend:
    """Return what all maps share; the scale is the cohort's, so that weak evidence looks weak."""
    scale: dict[ImageModality, float] = {}
    method: dict[ImageModality, str] = {}
    for modality in IMAGE_MODALITIES:
        values = [
            np.abs(maps[modality].values).ravel()
            for fold in found
            for maps in fold.maps.values()
            if modality in maps
        ]
        if values:
            scale[modality] = float(np.percentile(np.concatenate(values), _SCALE_PERCENT))
            used = (fold.methods[modality] for fold in found if modality in fold.methods)
            method[modality] = ", ".join(dict.fromkeys(used))
    models = dict.fromkeys(fold.model for fold in found)
    return Legend(", ".join(models), method, scale)
