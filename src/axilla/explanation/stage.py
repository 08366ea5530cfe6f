"""The explanation stage: patients' maps by the model that did not see them, and their tests."""

import time
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import astuple, fields
from functools import partial

import numpy as np
import pandas as pd

from axilla.config.study import StudyConfig
from axilla.explanation.faithfulness.case_selection import draw_patients
from axilla.explanation.faithfulness.faithfulness_scores import curve_table
from axilla.explanation.faithfulness.verdicts import table, verdicts
from axilla.explanation.heatmap_file import (
    FOLDER,
    ChosenBy,
    HeatmapFile,
    Legend,
    file_name,
    patients_in,
    write_heatmaps,
    write_legend,
)
from axilla.explanation.out_of_fold import BagImage, FoldMaps, OutOfFold, Wishes, explain_fold
from axilla.explanation.shapley import clinical_table, shapley_summary, shapley_table
from axilla.records.digests import seed_of
from axilla.records.patients import Patient
from axilla.records.progress import Progress
from axilla.records.run_folder import RunFolder
from axilla.records.types import IMAGE_MODALITIES, ImageModality

_DECOYS = 50
_SCALE_PERCENT = 99
InTurn = Callable[[Callable[[OutOfFold], FoldMaps], Iterable[OutOfFold]], Iterable[FoldMaps]]

TABLES = (
    *("explanation.csv", "faithfulness.csv", "faithfulness_curves.csv"),
    *("shapley.csv", "shapley_summary.csv", "clinical_importance.csv"),
)


def explain(
    config: StudyConfig,
    folder: RunFolder,
    models: Sequence[OutOfFold],
    progress: Progress,
    *,
    reported: Collection[str] = (),
    in_turn: InTurn = map,
) -> None:
    """Map patients' images out of fold, test the maps, and write what was found.

    [explanation] `patients` says whose images are mapped; of "report", those of `reported`
    patients and of those on whom the maps are tested. Which modality mattered is told of everybody.
    `in_turn` maps a function over the folds, as `map` does, here or in processes.
    Writes heatmaps/*.npz with explanation.json, explanation.csv and faithfulness.csv, and what
    was done into provenance.json; of an earlier run nothing is left. Raises `UnreadableImage` or
    `RoiError`.
    """
    started = time.perf_counter()
    _forget(folder)
    with_image = [
        patient
        for model in models
        for patient in model.patients
        if any(patient.images(m) for m in IMAGE_MODALITIES)
    ]
    wishes = _wishes(with_image, config, reported)
    if not wishes.mapped:
        return
    done: list[tuple[str, FoldMaps]] = []
    with progress.task("Explaining", total=len(wishes.mapped)) as advance:
        found = in_turn(partial(explain_fold, wishes=wishes), models)
        for model, maps in zip(models, found, strict=True):
            done.append((model.fold, maps))
            _write_maps(folder, maps)
            advance(len(maps.maps))
    _write(folder, done, config, seconds=time.perf_counter() - started)


def _forget(folder: RunFolder) -> None:
    for name in TABLES:
        folder.table(name).unlink(missing_ok=True)
    for path in patients_in(folder.results / FOLDER).values():
        path.unlink()


def _seed(config: StudyConfig, purpose: str) -> int:
    return seed_of(config.study.seed, "explanation", purpose)


def _wishes(
    with_image: Sequence[Patient], config: StudyConfig, reported: Collection[str]
) -> Wishes:
    asked = config.explanation.patients
    chosen = with_image
    if isinstance(asked, int):
        chosen = draw_patients(with_image, count=asked, seed=_seed(config, "patients"))
    tested = _names(
        draw_patients(
            chosen, count=config.explanation.faithfulness_cases, seed=_seed(config, "faithfulness")
        )
    )
    # Readers are shown patients drawn at random, never those whom a rule chose for the report.
    decoyed = (
        ()
        if asked == "report"
        else draw_patients(chosen, count=_DECOYS, seed=_seed(config, "decoys"))
    )
    mapped = _names(chosen)
    if asked == "report":
        mapped = tested | mapped.intersection(reported)
    return Wishes(
        config.explanation.method,
        mapped=mapped,
        decoyed=_names(decoyed),
        checked=tested,
        images=config.explanation.images,
        seed=_seed(config, "shuffles"),
    )


def _names(patients: Iterable[Patient]) -> frozenset[str]:
    return frozenset(patient.patient_id for patient in patients)


def _write_maps(folder: RunFolder, found: FoldMaps) -> None:
    for patient_id, maps in found.maps.items():
        if maps:
            write_heatmaps(folder.results / FOLDER / file_name(patient_id), HeatmapFile(maps))


def _write(
    folder: RunFolder,
    done: Sequence[tuple[str, FoldMaps]],
    config: StudyConfig,
    *,
    seconds: float,
) -> None:
    chosen: ChosenBy = "report" if config.explanation.patients == "report" else "random"
    legend = _legend([found for _, found in done], chosen)
    write_legend(folder.results / FOLDER, legend)
    columns = ["fold", "model", *(one.name for one in fields(BagImage))]
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


def _legend(found: Sequence[FoldMaps], chosen: ChosenBy) -> Legend:
    """Return what all maps share: one scale for all patients, so that weak evidence looks weak."""
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
    return Legend(", ".join(models), method, scale, chosen)
