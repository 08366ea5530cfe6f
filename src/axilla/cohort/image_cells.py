"""The image cells of one row: its files with all that is known of each, bags of tiles included."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from axilla.cohort.cohort_schema import Wanted
from axilla.cohort.image_columns import (
    ImageRow,
    Listed,
    Size,
    pieces_of,
    read_frames,
    read_masks,
    read_rois,
    read_scales,
    unreadable,
)
from axilla.cohort.roi_table import image_key, place_roi
from axilla.imaging.slides import NoTissue
from axilla.imaging.slides.slide_bags import tiles_of
from axilla.records.errors import UnreadableImage
from axilla.records.findings import error, warning
from axilla.records.patients import ImageFile
from axilla.records.types import ImageModality


def read_image_cells(
    row: ImageRow, modality: ImageModality, *, wanted: Wanted
) -> tuple[ImageFile, ...]:
    """Return the images of one modality of one row; `row` collects files and what is wrong.

    Only headers are read, and of whole slides what tells where their tissue is. Images that
    cannot be used are left out; masks and rectangles belong to ultrasound, slides to pathology.
    """
    written = [piece for piece in pieces_of(row.text(modality)) if piece]
    paths = [row.file(modality, text=text) for text in written]
    sizes = [row.size(modality, path=p, text=t) for p, t in zip(paths, written, strict=True)]
    described = _ultrasound if modality == "ultrasound" else _pathology
    images: list[ImageFile] = []
    for text, file, size in zip(written, described(row, paths, sizes), sizes, strict=True):
        if file is not None and size is not None:
            images += (
                [_as_drawn(row, text, file, size=size, wanted=wanted)]
                if modality == "ultrasound"
                else _bag(row, text, file, wanted=wanted)
            )
    return tuple(images)


def _ultrasound(
    row: ImageRow, paths: Sequence[Path | None], sizes: Sequence[Size | None]
) -> Iterator[ImageFile | None]:
    masks, rois = read_masks(row, sizes), read_rois(row, sizes)
    scales = read_scales(row, "ultrasound_pixel_mm", count=len(paths), what="mm")
    frames = read_frames(row, "ultrasound_frame", paths=paths, sizes=sizes)
    for n, path in enumerate(paths):
        yield (
            ImageFile(path, roi=rois[n], mask=masks[n], pixel_mm=scales[n], frame=frames[n])
            if path
            else None
        )


def _pathology(
    row: ImageRow, paths: Sequence[Path | None], _sizes: Sequence[Size | None]
) -> Iterator[ImageFile | None]:
    scales = read_scales(row, "pathology_mpp", count=len(paths), what="micrometres")
    for path, mpp in zip(paths, scales, strict=True):
        yield ImageFile(path, mpp=mpp) if path else None


def _bag(row: ImageRow, text: str, file: ImageFile, *, wanted: Wanted) -> tuple[ImageFile, ...]:
    """Return the tiles of a slide; any other image as it is, unless the study cuts it too."""
    cell = row.part("pathology", text)
    try:
        tiles, remarks = tiles_of(file, wanted.tiles, side_px=wanted.tile_px, kept=wanted.plans)
    except NoTissue as fault:
        problem = replace(fault.problems[0], place=cell.place)
        row.findings.append(error("low_tissue", problem, patients=(cell.patient_id,)))
        return ()
    except UnreadableImage as fault:
        row.findings.append(unreadable(cell, fault))
        return ()
    for code, problem in remarks:
        there = replace(problem, place=cell.place)
        row.findings.append(warning(code, there, patients=(cell.patient_id,)))
    return tiles


def _as_drawn(
    row: ImageRow, text: str, file: ImageFile, *, size: Size, wanted: Wanted
) -> ImageFile:
    """Return the image with the rectangle and mask that rois.csv has for it, if any."""
    drawn = wanted.drawn.get(image_key(text))
    placed, findings = place_roi(file, drawn, cell=row.part("ultrasound", text), size_px=size)
    row.findings.extend(findings)
    if placed.mask is not None and placed.mask != file.mask:
        cell = row.part("ultrasound", text)
        row.listed.append(Listed(placed.mask, cell, "mask"))
    return placed
