"""`axilla roi`: annotation files in, rois.csv and its outlines out; and back."""

import csv
import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from io import StringIO
from pathlib import Path, PurePosixPath
from typing import Literal

from axilla.annotation.exporting import coco_file, own_roi, placed
from axilla.annotation.formats import AnnotationFile, read_annotations
from axilla.annotation.importing import Choice, NewRoi, rois_from
from axilla.annotation.study_images import AmbiguousName, ImageIndex, StudyImage, study_images
from axilla.cohort.rois import COLUMNS, DrawnRoi, image_key, read_rois
from axilla.records.errors import CohortError, Problem, RoiError, UnreadableImage
from axilla.records.folder import write_bytes
from axilla.records.study import StudyConfig

Format = Literal["coco", "csv"]

_OUTLINES = "rois"
_DIGEST_BYTES = 4
_OUTLINE = re.compile(r"-[0-9a-f]{8}\.png$")


@dataclass(frozen=True, slots=True)
class Imported:
    """What an import came to; `rows` counts rois.csv afterwards, `notes` what was not taken."""

    rois: tuple[NewRoi, ...]
    replaced: tuple[str, ...]
    rows: int
    notes: tuple[str, ...]


def import_rois(
    config: StudyConfig,
    folder: Path,
    files: Sequence[Path],
    *,
    choice: Choice,
    image: str | None = None,
    dry_run: bool = False,
) -> Imported:
    """Read annotation files and write their rectangles into the study's rois.csv.

    `image` names the image of a file that does not name one itself. What rois.csv holds of other
    images stays; outlines go into rois/ under names that tell their content, so that a run that
    reads the old rois.csv meanwhile still finds the old ones. With `dry_run` nothing is written.
    Raises `CohortError` with every problem, and then writes nothing.
    """
    images = study_images(config, folder)
    index = ImageIndex(images)
    if image is not None:
        _check_known(image, index)
    table = folder / config.cohort.rois
    before = read_rois(table) if table.is_file() else {}
    rois, notes = rois_from(_read(files, image=image), index, choice)
    new = {image_key(roi.image.text): _row(roi, table.parent) for roi in rois}
    after = before | new
    if not dry_run:
        for roi in rois:
            mask = new[image_key(roi.image.text)].mask
            if roi.outline is not None and mask is not None:
                write_bytes(mask, roi.outline)
        write_bytes(table, _csv(_ordered(after, images), table.parent))
        _remove_unused(before, after, table.parent / _OUTLINES)
    replaced = tuple(drawn.image for key, drawn in before.items() if key in new)
    return Imported(rois, replaced, len(after), notes)


def export_rois(config: StudyConfig, folder: Path, kind: Format, path: Path) -> int:
    """Write every rectangle of the study, of rois.csv or else of the table; return their number.

    In CSV, masks are named relative to rois.csv. Raises `CohortError`, also if there is none, or
    if `path` is a file that the study reads.
    """
    table = folder / config.cohort.rois
    _check_free(path, [folder / config.cohort.table, table, folder / "study.toml"])
    drawn = read_rois(table) if table.is_file() else {}
    rois: list[tuple[StudyImage, DrawnRoi]] = []
    problems: list[Problem] = []
    for image in study_images(config, folder):
        try:
            roi = drawn.get(image_key(image.text)) or _own(image, config.cohort.table)
        except (UnreadableImage, RoiError) as error:
            problems += placed(error, image)
            continue
        rois += [(image, roi)] if roi is not None else []
    if not rois and not problems:
        expected = "a rectangle or mask of at least one image"
        remedy = "Import some: `axilla roi import`."
        problems.append(Problem(config.cohort.table, "no ROI", expected, remedy))
    if problems:
        raise CohortError(problems)
    found = [roi for _, roi in rois]
    write_bytes(path, coco_file(rois) if kind == "coco" else _csv(found, table.parent))
    return len(rois)


def _check_known(name: str, index: ImageIndex) -> None:
    try:
        known = index.find([name]) is not None
    except AmbiguousName as several:
        problem = Problem("--image", f"{name!r}, which may be {several}", "one image of the table")
        raise CohortError(problem) from several
    if not known:
        expected = "an image of the table's column ultrasound"
        raise CohortError(Problem("--image", repr(name), expected, "Correct the name."))


def _check_free(path: Path, own: Iterable[Path]) -> None:
    if any(path.resolve() == file.resolve() for file in own):
        found, expected = f"{path.name}, which the study reads", "a file of its own"
        raise CohortError(Problem("--out", found, expected, "Choose another name."))


def _read(paths: Sequence[Path], *, image: str | None) -> tuple[AnnotationFile, ...]:
    """Read every file; raise `CohortError` with the problems of all of them."""
    files = []
    problems: list[Problem] = []
    for path in paths:
        try:
            files.append(read_annotations(path, image=image))
        except CohortError as error:
            problems += error.problems
    if problems:
        raise CohortError(problems)
    return tuple(files)


def _row(new: NewRoi, folder: Path) -> DrawnRoi:
    mask = None
    if new.outline is not None:
        digest = hashlib.blake2b(new.outline, digest_size=_DIGEST_BYTES).hexdigest()
        stem = PurePosixPath(image_key(new.image.text)).stem
        mask = folder / _OUTLINES / f"{stem}-{digest}.png"
    return DrawnRoi(new.image.text, new.roi, mask, new.source, new.label)


def _ordered(rois: Mapping[str, DrawnRoi], images: Iterable[StudyImage]) -> Iterator[DrawnRoi]:
    """Yield the rows in the table's order, those of no image of the table last."""
    listed = dict.fromkeys(image_key(image.text) for image in images)
    yield from (rois[key] for key in listed if key in rois)
    yield from (drawn for key, drawn in rois.items() if key not in listed)


def _csv(rois: Iterable[DrawnRoi], folder: Path) -> bytes:
    stream = StringIO(newline="")
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(COLUMNS)
    for drawn in rois:
        mask = drawn.mask
        if mask is not None and mask.is_relative_to(folder):
            mask = mask.relative_to(folder)
        sides = (drawn.roi.left_px, drawn.roi.top_px, drawn.roi.width_px, drawn.roi.height_px)
        written = mask.as_posix() if mask else ""
        writer.writerow([drawn.image, *sides, written, drawn.source, drawn.label])
    return stream.getvalue().encode()


def _remove_unused(
    before: Mapping[str, DrawnRoi], after: Mapping[str, DrawnRoi], outlines: Path
) -> None:
    """Remove outlines that an earlier import wrote and no row names any more."""
    named = {drawn.mask for drawn in after.values()}
    for drawn in before.values():
        mask = drawn.mask
        if mask is None or mask in named or mask.parent != outlines:
            continue
        if _OUTLINE.search(mask.name):
            mask.unlink(missing_ok=True)


def _own(image: StudyImage, table: str) -> DrawnRoi | None:
    roi = own_roi(image)
    return None if roi is None else DrawnRoi(image.text, roi, image.mask, table)
