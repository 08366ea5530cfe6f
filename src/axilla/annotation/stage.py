"""`axilla roi`: annotation files in, rois.csv and its outlines out; and back."""

import csv
import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from io import StringIO
from pathlib import Path, PurePosixPath
from typing import Literal

from axilla.annotation.annotation_export import coco_file, name_files_as_table, own_roi
from axilla.annotation.annotation_import import NewRoi, ShapeChoice, rois_from
from axilla.annotation.boxes import roi_from_mask
from axilla.annotation.formats import AnnotationFile, read_annotations
from axilla.annotation.image_index import AmbiguousName, ImageIndex, StudyImage, study_images
from axilla.cohort.roi_table import COLUMNS, image_key, read_rois
from axilla.config.study import StudyConfig
from axilla.imaging.raster import decode_mask
from axilla.records.errors import CohortError, Problem, RoiError, UnreadableImage
from axilla.records.roi_rectangle import DrawnRoi, Roi
from axilla.records.run_folder import lock_file, write_bytes
from axilla.records.table_columns import harmless

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
    choice: ShapeChoice,
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
    rois, notes = rois_from(_read(files, image=image), index, choice)
    table = folder / config.cohort.rois
    with lock_file(table):
        before = read_rois(table) if table.is_file() else {}
        new = {image_key(roi.image.text): _row(roi, table.parent) for roi in rois}
        after = before | new
        if not dry_run:
            for roi in rois:
                mask = new[image_key(roi.image.text)].mask
                if roi.outline is not None and mask is not None:
                    write_bytes(mask, roi.outline)
            write_bytes(table, _csv(_sort_like_table(after, images), table.parent))
            _remove_unused(before, after, table.parent / _OUTLINES)
    replaced = tuple(drawn.image for key, drawn in before.items() if key in new)
    return Imported(rois, replaced, len(after), notes)


def save_rois(
    config: StudyConfig, folder: Path, rois: Mapping[str, Roi | None], *, source: str
) -> tuple[str, ...]:
    """Write rectangles of single images into rois.csv; return those that lost their mask.

    `rois` go by the paths of the table; None takes an image's row out. A mask, of rois.csv or of
    the table, stays if the rectangle is the smallest around it, or the one it had before;
    otherwise the lesion is no longer outlined. What rois.csv holds of other images stays. Raises
    `CohortError`, and then writes nothing.
    """
    images = study_images(config, folder)
    listed = {image_key(image.text): image for image in images}
    table = folder / config.cohort.rois
    lost = []
    with lock_file(table):
        rows = read_rois(table) if table.is_file() else {}
        for text, roi in rois.items():
            key = image_key(text)
            earlier = rows.pop(key, None)
            if roi is None:
                continue
            outlined = _list_masks(earlier, listed.get(key))
            mask = next((path for given, path in outlined if _fits(roi, given, path)), None)
            rows[key] = DrawnRoi(text, roi, mask, source, earlier.label if earlier else "")
            lost += [text] if outlined and mask is None else []
        if rows:
            write_bytes(table, _csv(_sort_like_table(rows, images), table.parent))
        else:  # a table without rows is an error to whoever reads it
            table.unlink(missing_ok=True)
    return tuple(lost)


def export_rois(config: StudyConfig, folder: Path, kind: Format, path: Path) -> int:
    """Write every rectangle of the study, as `exported_rois` gives them; return their number.

    Raises `CohortError` as that does, and if `path` is a file that the study reads.
    """
    table = folder / config.cohort.rois
    _check_free(path, [folder / config.cohort.table, table, folder / "study.toml"])
    content, count = exported_rois(config, folder, kind)
    write_bytes(path, content)
    return count


def exported_rois(config: StudyConfig, folder: Path, kind: Format) -> tuple[bytes, int]:
    """Return a file of every rectangle, of rois.csv or else of the table, and their number.

    In CSV, masks are named relative to rois.csv. Raises `CohortError`, also if there is none.
    """
    table = folder / config.cohort.rois
    drawn = read_rois(table) if table.is_file() else {}
    rois: list[tuple[StudyImage, DrawnRoi]] = []
    problems: list[Problem] = []
    for image in study_images(config, folder):
        try:
            roi = drawn.get(image_key(image.text)) or _own(image, config.cohort.table)
        except (UnreadableImage, RoiError) as error:
            problems += name_files_as_table(error, image)
            continue
        rois += [(image, roi)] if roi is not None else []
    if not rois and not problems:
        expected = "a rectangle or mask of at least one image"
        remedy = "Import some: `axilla roi import`."
        problems.append(Problem(config.cohort.table, "no ROI", expected, remedy))
    if problems:
        raise CohortError(problems)
    found = [roi for _, roi in rois]
    return coco_file(rois) if kind == "coco" else _csv(found, table.parent), len(rois)


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


def _sort_like_table(
    rois: Mapping[str, DrawnRoi], images: Iterable[StudyImage]
) -> Iterator[DrawnRoi]:
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
        written = mask.as_posix() if mask else ""
        # "./" changes no path.
        paths = [harmless(path, mark="./") for path in (drawn.image, written)]
        words = [harmless(text) for text in (drawn.source, drawn.label)]
        writer.writerow([paths[0], *drawn.roi.sides, paths[1], *words])
    return stream.getvalue().encode()


def _list_masks(
    earlier: DrawnRoi | None, image: StudyImage | None
) -> list[tuple[Roi | None, Path]]:
    """Return the masks that an image has, each with the rectangle that it came with."""
    found = [(one.roi, one.mask) for one in (earlier, image) if one is not None]
    return [(roi, mask) for roi, mask in found if mask is not None]


def _fits(roi: Roi, given: Roi | None, mask: Path) -> bool:
    if roi == given:
        return True
    try:
        return roi_from_mask(decode_mask(mask)) == roi
    except (UnreadableImage, RoiError):
        return False


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
