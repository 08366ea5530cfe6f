"""Results with heatmaps, Shapley values and checks of both, made without a network."""

import shutil
from importlib.resources import files
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from axilla.explanation.heatmap_file import (
    FOLDER,
    Heatmap,
    HeatmapFile,
    Legend,
    file_name,
    write_heatmaps,
    write_legend,
)
from axilla.records.roi_rectangle import Roi
from axilla.records.run_folder import RunFolder
from axilla.records.table_columns import FAITHFULNESS_CURVES

SAMPLE = files("axilla") / "sample"
MODEL = "multilayer"
ROWS, COLUMNS = 5, 6


FAITHFULNESS = pd.DataFrame(
    [
        ("ultrasound", "gradcam", "deletion_vs_random", 0.2, 0.1, 0.3, 40, True, "passes; how"),
        ("ultrasound", "gradcam", "stability_shift", 0.8, 0.7, 0.9, 40, True, "passes; how"),
        ("ultrasound", "gradcam", "agreement_integrated", 0.4, 0.2, 0.6, 40, None, "finding; x"),
        ("ultrasound", "gradcam", "lesion_positive", 1.4, 1.2, 1.6, 39, None, "finding: x; wide"),
        ("ultrasound", "gradcam", "lesion_absolute", 1.1, 0.9, 1.3, 39, None, "finding: x"),
        ("pathology", "gradcam", "deletion_vs_edges", -0.2, -0.3, -0.1, 40, False,
         "FAILS: does worse than the image's edges; moves by 0.1"),
        ("pathology", "gradcam", "randomisation_signed", 0.6, 0.5, 0.7, 40, False, "FAILS: x; y"),
        ("pathology", "gradcam", "stability_shift", 0.8, 0.7, 0.9, 40, True, "passes; how"),
        ("pathology", "integrated", "deletion_vs_random", 0.1, None, None, 2, None, "no verdict"),
    ],
    columns=["modality", "method", "check", "value", "low", "high", "n", "passed", "note"],
)  # fmt: skip


def worst_and_best(predictions, patients):
    """The slow way to choose: for each outcome and call the farthest from, and the nearest to."""
    rows = predictions[(predictions["model"] == MODEL) & predictions["patient_id"].isin(patients)]
    found = []
    for label in (1, 0):
        for right in (True, False):
            kind = []
            for _, row in rows.iterrows():
                called = row["probability"] >= row["threshold"]
                if row["label"] == label and (called == bool(label)) == right:
                    kind.append((abs(row["probability"] - row["threshold"]), row["patient_id"]))
            kind.sort(key=lambda pair: (-pair[0], pair[1]))
            found += [kind[0][1]] + ([kind[-1][1]] if len(kind) > 1 else [])
    return found


def explain(finished: RunFolder, root: Path) -> tuple[RunFolder, list[str]]:
    """Copy results, and add maps and tables of explanations, beside the sample's images."""
    shutil.copytree(finished.results, root / "results", ignore=shutil.ignore_patterns("figures"))
    folder = RunFolder(root)
    predictions = pd.read_csv(folder.table("predictions.csv"), dtype={"patient_id": str})
    patients = sorted(set(predictions["patient_id"]))[:80]
    sample = pd.read_csv(SAMPLE / "cohort.csv", dtype=str)
    sample.to_csv(root / "cohort.csv", index=False)
    (root / "images").mkdir()
    rng = np.random.default_rng(1)
    maps = folder.results / FOLDER
    for patient in patients:
        row = sample.set_index("patient_id").loc[patient]
        roi = Roi(*(int(row[f"roi_{side}"]) for side in ("left", "top", "width", "height")))
        with Image.open(SAMPLE / row["pathology"]) as image:
            whole = Roi(0, 0, *image.size)
        content = {"ultrasound": heatmap(rng, roi), "pathology": heatmap(rng, whole)}
        write_heatmaps(maps / file_name(patient), HeatmapFile(content))
    for patient in worst_and_best(predictions, patients):
        for path in (SAMPLE / "images").glob(f"{patient}_*"):
            shutil.copy(path, root / "images")
    methods = {"ultrasound": "gradcam", "pathology": "gradcam"}
    write_legend(maps, Legend(MODEL, methods, {"ultrasound": 2.5, "pathology": 0.75}))
    _write_tables(folder, predictions, patients, rng)
    return folder, patients


def heatmap(rng, window):
    return Heatmap(rng.normal(size=(ROWS, COLUMNS)).astype(np.float32), window)


def _write_tables(folder, predictions, patients, rng):
    labels = predictions.drop_duplicates("patient_id").set_index("patient_id")["label"]
    images = [
        (patient, "1-1", MODEL, modality, "gradcam", 0, 1.0, 0.5, 0.1)
        for patient in patients
        for modality in ("ultrasound", "pathology")
    ]
    columns = ["patient_id", "fold", "model", "modality", "method", "image", "share", "logit"]
    folder.write_table("explanation.csv", pd.DataFrame(images, columns=[*columns, "mean"]))
    phi = rng.normal(size=(len(patients), 2)) * (1, 2)
    shapley = pd.DataFrame(
        {
            "patient_id": patients,
            "label": labels[patients].to_numpy(),
            "logit": phi.sum(1) + 0.2,
            "base": 0.2,
            "phi_ultrasound": phi[:, 0],
            "phi_pathology": phi[:, 1],
        }
    )
    folder.write_table("shapley.csv", shapley)
    summary = pd.DataFrame(
        [
            ("ultrasound", 0.8, 0.7, 0.9, 0.05, 80, "exact Shapley values"),
            ("pathology", 1.6, 1.3, 1.9, -0.1, 80, "exact Shapley values"),
        ],
        columns=["modality", "mean_abs", "low", "high", "mean", "n", "method"],
    )
    folder.write_table("shapley_summary.csv", summary)
    clinical = pd.DataFrame(
        [("age", 0.31, 0.2, 0.42, 77, "exact Shapley values")],
        columns=["column", "mean_abs", "low", "high", "n", "method"],
    )
    folder.write_table("clinical_importance.csv", clinical)
    folder.write_table("faithfulness.csv", FAITHFULNESS)
    curves = [
        ("ultrasound", "gradcam", curve, order, share, share * size, 0.0, 1.0, 40)
        for curve in ("deletion", "insertion")
        for order, size in (("map", 0.9), ("random", 0.5), ("edges", 0.6))
        for share in (0.0, 0.5, 1.0)
    ]
    table = pd.DataFrame(curves, columns=list(FAITHFULNESS_CURVES))
    folder.write_table("faithfulness_curves.csv", table)
