"""Images beside their maps: scale bars in mm, colour where the map lies and nowhere else."""

import numpy as np
import pytest
from PIL import Image

from axilla.explanation.heatmap_file import Heatmap
from axilla.records.patients import ImageFile
from axilla.records.roi_rectangle import Roi
from axilla.report.images.heatmap_views import LONGEST_SIDE_PX, scale_bar, views_of


@pytest.mark.parametrize(
    ("um_per_px", "label"),
    [(50.0, "5 mm"), (69.44, "5 mm"), (200.0, "20 mm"), (0.46, "50 µm"), (3.0, "0.2 mm")],
)
def test_scale_bars_have_round_lengths(um_per_px, label):
    bar = scale_bar(um_per_px, width_px=400)
    assert bar.label.replace("\N{NO-BREAK SPACE}", " ") == label
    length, unit = label.split()
    micrometres = float(length) * (1000 if unit == "mm" else 1)
    assert bar.share * 400 * um_per_px == pytest.approx(micrometres)
    assert bar.share <= 0.34


def test_no_pixel_size_no_bar():
    assert scale_bar(float("nan"), width_px=400) is None
    assert scale_bar(0.0, width_px=400) is None


@pytest.fixture
def grey(tmp_path):
    """A dim picture of 600 x 400 px with a lesion of 200 x 100 px."""
    Image.fromarray(np.full((400, 600, 3), 90, np.uint8)).save(tmp_path / "us.png")
    return ImageFile(tmp_path / "us.png", roi=Roi(200, 150, 200, 100), pixel_mm=0.05)


def test_the_bar_that_is_drawn_is_as_long_as_it_says(grey):
    flat = Heatmap(np.zeros((4, 4), np.float32), Roi(180, 140, 240, 120))
    views = views_of(grey, flat, modality="ultrasound", scale=1.0)
    height, width = views.original.shape[:2]
    assert max(height, width) == LONGEST_SIDE_PX
    assert views.bar.label == "5\N{NO-BREAK SPACE}mm"
    # The lesion's outline is light as well; the bar lies below it.
    low = views.original[height - 16 :, :, 0]
    drawn = int((low > 200).sum(axis=1).max())
    px_mm = drawn * 0.05 * (312 / width)  # 240 px of map, 15 % more on both sides
    assert px_mm == pytest.approx(5, rel=0.02)


def test_a_map_colours_its_window_and_nothing_else(grey):
    values = np.ones((4, 4), np.float32)
    window = Roi(200, 150, 200, 100)
    views = views_of(grey, Heatmap(values, window), modality="ultrasound", scale=1.0)
    red = views.overlaid[..., 0].astype(int) - views.overlaid[..., 2].astype(int)
    marked = red > 40
    # 260 x 195 px are shown 400 px wide.
    assert marked.mean() == pytest.approx(200 * 100 / (260 * 195), rel=0.08)
    against = views_of(grey, Heatmap(-values, window), modality="ultrasound", scale=1.0)
    blue = against.overlaid[..., 2].astype(int) - against.overlaid[..., 0].astype(int)
    assert (blue[marked] > 40).mean() > 0.95
    weak = views_of(grey, Heatmap(values / 100, window), modality="ultrasound", scale=1.0)
    assert np.abs(weak.overlaid[..., 0].astype(int) - weak.overlaid[..., 2]).max() < 4


def test_a_tile_is_measured_at_the_size_it_is_shown(tmp_path):
    Image.fromarray(np.full((512, 512, 3), 200, np.uint8)).save(tmp_path / "he.png")
    file = ImageFile(tmp_path / "he.png", mpp=0.5, tile=Roi(0, 0, 256, 256))
    flat = Heatmap(np.zeros((4, 4), np.float32), Roi(0, 0, 256, 256))
    bar = views_of(file, flat, modality="pathology", scale=1.0).bar
    assert bar.label == "20\N{NO-BREAK SPACE}µm"  # of 128 µm
    assert bar.share == pytest.approx(20 / 128)
