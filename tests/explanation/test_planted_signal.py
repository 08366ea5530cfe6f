"""Where the reason is known, the map must point at it: discs planted in the positives' images."""

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image, ImageDraw
from typer.testing import CliRunner

import axilla
from axilla.cli.main import app
from axilla.explanation.heatmap_file import patients_in, read_heatmaps

SAMPLE = Path(axilla.__file__).parent / "sample"
CASES_PER_CLASS = 20
RADIUS = 0.1  # of the longer side of what the model sees
STUDY = """
preset = "quick"
[study]
name = "Planted signal"
outcome = "malignant"
seed = 1
[cohort]
group = ["pathology_donor"]
[models]
ultrasound = ["{ultrasound}"]
pathology = ["{pathology}"]
fuse = ["ultrasound", "pathology"]
fusion = ["multilayer"]
[validation]
folds = 2
inner_folds = 2
[explanation]
patients = "all"
faithfulness_cases = 0
"""


def planted(image, area, rng):
    """Draw a white disc at a random place of `area`; return its centre and radius in px."""
    left, top, width, height = area
    radius = RADIUS * max(width, height)
    x, y = (
        start + rng.uniform(min(radius, side / 2), max(side - radius, side / 2))
        for start, side in ((left, width), (top, height))
    )
    circle = (x - radius, y - radius, x + radius, y + radius)
    ImageDraw.Draw(image).ellipse(circle, fill="white")
    return x, y, radius


def plant(folder, modality):
    """Write a study whose positives' images of one modality hold a disc; return where."""
    (folder / "images").mkdir(parents=True)
    table = pd.read_csv(SAMPLE / "cohort.csv", dtype=str, keep_default_na=False)
    table = pd.concat([cases.head(CASES_PER_CLASS) for _, cases in table.groupby("malignant")])
    table["ultrasound_mask"] = ""
    rng, places = np.random.default_rng(1), {}
    for row in table.itertuples():
        for name in (row.ultrasound, row.pathology):
            shutil.copy(SAMPLE / name, folder / name)
        if row.malignant == "1":
            name = getattr(row, modality)
            image = Image.open(SAMPLE / name).convert("RGB")
            roi = [int(getattr(row, f"roi_{side}")) for side in ("left", "top", "width", "height")]
            area = roi if modality == "ultrasound" else (0, 0, *image.size)
            places[row.patient_id] = planted(image, area, rng)
            lossless = name.replace(".jpg", ".png")
            image.save(folder / lossless)
            table.loc[row.Index, modality] = lossless
    table.to_csv(folder / "cohort.csv", index=False)
    # One network is enough where nothing is planted.
    networks = dict.fromkeys(("ultrasound", "pathology"), "squeezenet")
    text = STUDY.format(**networks | {modality: "densenet121"})
    (folder / "study.toml").write_text(text, encoding="utf-8")
    return places


def distance_to_maximum(heatmap, centre):
    """Return how far a map's highest cell lies from a place of its image, and a cell's side."""
    field = np.asarray(heatmap.values)
    rows, columns = field.shape
    row, column = np.unravel_index(field.argmax(), field.shape)
    cell = np.array([heatmap.window.width_px / columns, heatmap.window.height_px / rows])
    corner = np.array([heatmap.window.left_px, heatmap.window.top_px])
    highest = corner + (np.array([column, row]) + 0.5) * cell
    return float(np.hypot(*(highest - centre))), float(cell.max())


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("modality", ["ultrasound", "pathology"])
def test_the_fusion_models_maps_point_at_what_decides(tmp_path, modality):
    places = plant(tmp_path, modality)
    result = CliRunner().invoke(app, ["run", str(tmp_path)])
    assert result.exit_code == 0, result.output
    files = patients_in(tmp_path / "results" / "heatmaps")
    assert set(places) <= set(files)
    hits, by_chance = [], []
    for patient, (x, y, radius) in places.items():
        heatmap = read_heatmaps(files[patient]).maps[modality]
        away, cell = distance_to_maximum(heatmap, (x, y))
        near = radius + cell  # in the disc, or in the cell beside it
        hits.append(away <= near)
        window = heatmap.window
        by_chance.append(np.pi * near**2 / (window.width_px * window.height_px))
    assert np.mean(hits) >= 0.9
    assert np.mean(by_chance) < 0.35
