"""Figures: every one in both encodings, drawn from the numbers, legible to everybody."""

import io
import re
import xml.etree.ElementTree as ET
from importlib.resources import files
from itertools import combinations

import numpy as np
import pytest
from PIL import Image
from skimage.color import deltaE_ciede2000, rgb2lab

from axilla.report.figures import palette
from axilla.report.study_results import load_results

STEMS = {
    "auc_forest",
    "calibration",
    "clinical_confusion",
    "clinical_roc",
    "decision_curve",
    "figure2_pathology_confusion",
    "figure2_pathology_roc",
    "figure3_ultrasound_confusion",
    "figure3_ultrasound_roc",
    "figure4_fusion_confusion",
    "figure4_fusion_roc",
    "inclusion_flow",
    "subgroups",
}

# Machado, Oliveira, Fernandes 2009, severity 1, linear RGB.
SIGHT = {
    "normal": np.eye(3),
    "protan": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "deutan": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "tritan": [
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.303900],
    ],
}


def test_every_figure_is_written_as_png_and_svg(paired):
    names = {path.name for path in paired[1].figures.iterdir()}
    assert names == {f"{stem}.{suffix}" for stem in STEMS for suffix in ("png", "svg")}
    for stem in STEMS:
        png = Image.open(io.BytesIO((paired[1].figures / f"{stem}.png").read_bytes()))
        assert round(png.info["dpi"][0]) == 200
        svg = (paired[1].figures / f"{stem}.svg").read_text(encoding="utf-8")
        assert ET.fromstring(svg).tag.endswith("svg")  # noqa: S314
        assert "<dc:date>" not in svg
        # Text is paths: no machine's fonts change it.
        assert "<text" not in svg


def test_curves_and_matrices_agree_with_metrics(paired):
    results = load_results(*paired)
    for entry in results.entries:
        sensitivity, specificity = results.operating_point(entry.name)
        assert sensitivity == pytest.approx(results.estimate(entry.name, "recall").value)
        assert specificity == pytest.approx(results.estimate(entry.name, "specificity").value)
        curve = results.roc(entry.name)
        area = np.trapezoid(curve.true_positive_rate, curve.false_positive_rate)
        assert area == pytest.approx(results.estimate(entry.name, "auc").value)


def test_a_backbone_keeps_its_colour_in_every_family(paired):
    styles = {entry.name: entry.style for entry in load_results(*paired).entries}
    assert styles["ultrasound/densenet121"] == styles["pathology/densenet121"]
    assert len({styles[f"ultrasound/{name}"] for name in ("densenet121", "squeezenet")}) == 2


def test_the_first_eighteen_series_differ():
    assert len({palette.series_style(index) for index in range(18)}) == 18


def dark_series() -> list[str]:
    css = (files("axilla.report") / "templates" / "report.css").read_text(encoding="utf-8")
    dark = css[css.index("prefers-color-scheme: dark") :]
    variables = [palette.THEME_VARIABLES[colour] for colour in palette.SERIES]
    return [re.search(rf"{name}: (#\w+);", dark).group(1) for name in variables]


@pytest.mark.parametrize(
    ("series", "paper"), [(palette.SERIES, palette.PAPER), (dark_series(), "#15181c")]
)
def test_series_are_told_apart_and_stand_out(series, paper):
    light = np.array([_linear(colour) for colour in series])
    for matrix in SIGHT.values():
        seen = rgb2lab(_gamma(light @ np.transpose(matrix))[None])[0]
        assert min(float(deltaE_ciede2000(a, b)) for a, b in combinations(seen, 2)) > 10.5
    luminance = light @ [0.2126, 0.7152, 0.0722] + 0.05
    ground = float(_linear(paper) @ [0.2126, 0.7152, 0.0722]) + 0.05
    assert (np.maximum(luminance, ground) / np.minimum(luminance, ground)).min() > 3


def test_css_states_the_palette_of_the_figures():
    css = (files("axilla.report") / "templates" / "report.css").read_text(encoding="utf-8")
    for colour, variable in palette.THEME_VARIABLES.items():
        assert f"{variable}: {colour};" in css


def _linear(colour: str):
    channels = np.array([int(colour[at : at + 2], 16) for at in (1, 3, 5)]) / 255
    return np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)


def _gamma(light):
    light = np.clip(light, 0, 1)
    return np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055)
