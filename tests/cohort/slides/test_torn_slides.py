"""Slides whose tables do not hold what they claim, told before anything is decoded."""

import struct

import pytest

from axilla.imaging.slides.slide_files import lists_all_tiles
from axilla.imaging.slides.tile_pixels import slide_size
from axilla.records.errors import UnreadableImage

WIDTH, HEIGHT, TILE_OFFSETS = 256, 257, 324


def changed(svs, path, tag, number, *, field):
    """Copy the slide, but for one number of its first directory: an entry's count or value."""
    content = bytearray(svs.read_bytes())
    (at,) = struct.unpack_from("<I", content, 4)
    (count,) = struct.unpack_from("<H", content, at)
    for entry in range(at + 2, at + 2 + 12 * count, 12):
        if struct.unpack_from("<H", content, entry) == (tag,):
            struct.pack_into("<I", content, entry + {"count": 4, "value": 8}[field], number)
    path.write_bytes(content)
    return path


def test_whole_slides_and_other_files_list_all(svs, make_tiff, svs_rgb, sample, tmp_path):
    assert lists_all_tiles(svs)
    assert lists_all_tiles(make_tiff(tmp_path / "a.tif", svs_rgb[:700, :700], halvings=2))
    assert lists_all_tiles(sample / "images" / "P001_us.jpg")
    assert lists_all_tiles(tmp_path / "none.svs")


@pytest.mark.parametrize(
    ("tag", "number", "field"),
    [(HEIGHT, 100_000, "value"), (WIDTH, 2_500, "value"), (TILE_OFFSETS, 20, "count")],
)
def test_a_slide_that_claims_more_than_it_has_is_refused(svs, tmp_path, tag, number, field):
    path = changed(svs, tmp_path / "a.svs", tag, number, field=field)
    with pytest.raises(UnreadableImage, match="fewer tiles than its size takes"):
        slide_size(path)


def test_a_slide_that_has_more_than_it_shows_is_read(svs, tmp_path):
    path = changed(svs, tmp_path / "a.svs", HEIGHT, 2_900, field="value")
    assert slide_size(path) == (2220, 2900)
