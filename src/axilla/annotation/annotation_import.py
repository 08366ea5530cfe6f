"""From drawings of annotation tools to one rectangle, and its outline, per image of the study."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from io import BytesIO
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from axilla.annotation.boxes import enclosing
from axilla.annotation.formats import AnnotationFile
from axilla.annotation.image_index import AmbiguousName, ImageIndex, StudyImage, size_of
from axilla.annotation.outline_shapes import AnnotatedShape, DrawnImage, Size
from axilla.records.errors import CohortError, Problem, RoiError, UnreadableImage
from axilla.records.roi_rectangle import Roi

Several = Literal["refuse", "union", "largest"]

_SHOWN = 5
NO_CLASS = "(no class)"


@dataclass(frozen=True, slots=True)
class ShapeChoice:
    """Which drawings count: their classes (none named: the only one), and what several become."""

    labels: tuple[str, ...] = ()
    several: Several = "refuse"


@dataclass(frozen=True, slots=True)
class NewRoi:
    """The rectangle of one image of the study; `outline` is a PNG mask of the image's size."""

    image: StudyImage
    roi: Roi
    label: str
    source: str
    outline: bytes | None = None


@dataclass(slots=True)
class _Meant:
    """What one file has drawn on one image."""

    image: StudyImage
    source: str
    sizes: list[tuple[str, Size]] = field(default_factory=list)
    drawings: list[AnnotatedShape] = field(default_factory=list)


def rois_from(
    files: Sequence[AnnotationFile], images: ImageIndex, choice: ShapeChoice
) -> tuple[tuple[NewRoi, ...], tuple[str, ...]]:
    """Return one rectangle per image that was drawn on, and notes on what was not taken.

    Of an image in several files, the last counts. Raises `CohortError` with every problem: names
    that fit several images, classes to choose from, several shapes, outlines off their image.
    """
    problems: list[Problem] = []
    notes: list[str] = []
    meant = _match_images(files, images, problems=problems, notes=notes)
    if not meant and not problems:
        problems.append(_nothing_meant(files))
    kept = _choose_shapes(meant, choice, problems=problems)
    latest: dict[str, _Meant] = {}
    for one in kept:
        earlier = latest.pop(one.image.text, None)
        if earlier is not None:
            notes.append(
                f"{one.image.text} is in {earlier.source} and {one.source}: the last is used"
            )
        latest[one.image.text] = one
    rois = []
    for one in latest.values():
        try:
            rois.append(_roi(one, choice.several))
        except CohortError as error:
            problems += error.problems
    if problems:
        raise CohortError(problems)
    return tuple(rois), tuple(notes)


def _match_images(
    files: Sequence[AnnotationFile],
    images: ImageIndex,
    *,
    problems: list[Problem],
    notes: list[str],
) -> list[_Meant]:
    """Return what each file has drawn on each image of the study."""
    meant: list[_Meant] = []
    for file in files:
        mine: dict[str, _Meant] = {}
        lost = []
        for drawn in file.images:
            image = _image_of(drawn, images, problems=problems)
            if image is None:
                lost += [drawn.names[0]] if drawn.drawings else []
                continue
            if drawn.drawings:
                source = f"{file.name} ({file.tool})"
                one = mine.setdefault(image.text, _Meant(image, source))
                one.drawings += drawn.drawings
                one.sizes += [(drawn.place, drawn.size_px)] if drawn.size_px else []
        meant += mine.values()
        if lost and mine:
            notes.append(f"{file.name}: not in the table: {_join_names(lost)}")
        if skipped := sum(drawn.skipped for drawn in file.images):
            notes.append(f"{file.name}: {skipped} objects left out (points, lines, detections)")
    return meant


def _image_of(
    drawn: DrawnImage, images: ImageIndex, *, problems: list[Problem]
) -> StudyImage | None:
    try:
        return images.find(drawn.names)
    except AmbiguousName as several:
        if drawn.drawings:
            found = f"{drawn.names[0]!r}, which may be {_join_names(several.texts)}"
            remedy = "Write the path in the file as the table does, or rename the images."
            problems.append(Problem(drawn.place, found, "one image of the table", remedy))
        return None


def _nothing_meant(files: Sequence[AnnotationFile]) -> Problem:
    named = [d.names[0] for file in files for d in file.images if d.drawings]
    place = ", ".join(dict.fromkeys(file.name for file in files))
    if not named:
        return Problem(place, "no shape with an area", "lesions drawn on images", "Draw them.")
    return Problem(
        place,
        f"drawings on {_join_names(named)}",
        "images that the table lists in its column ultrasound, by path or file name",
        "Correct the names, or say which image is meant with --image.",
    )


def _choose_shapes(
    meant: Sequence[_Meant], choice: ShapeChoice, *, problems: list[Problem]
) -> list[_Meant]:
    """Keep the drawings of the wanted classes; more than one class needs a choice."""
    counts = Counter(drawing.label or NO_CLASS for one in meant for drawing in one.drawings)
    there = ", ".join(f"{label} ({count})" for label, count in counts.most_common())
    place = ", ".join(dict.fromkeys(one.source for one in meant))
    if not choice.labels:
        if len(counts) > 1:
            remedy = "Say which are lesions: --label NAME, once or several times."
            problems.append(Problem(place, f"classes {there}", "one class", remedy))
        return list(meant)
    wanted = {label.casefold() for label in choice.labels}
    known = {label.casefold() for label in counts}
    problems += [
        Problem("--label", repr(label), f"one of {there}", "Correct the name.")
        for label in choice.labels
        if counts and label.casefold() not in known
    ]
    kept = []
    for one in meant:
        mine = [d for d in one.drawings if (d.label or NO_CLASS).casefold() in wanted]
        if mine:
            kept.append(replace(one, drawings=mine))
    return kept


def _roi(one: _Meant, several: Several) -> NewRoi:
    """Return the rectangle and outline of one image; raise `CohortError` with every problem."""
    size = _true_size(one)
    if len(one.drawings) > 1 and several == "refuse":
        found = f"{len(one.drawings)} shapes ({_join_names([d.place for d in one.drawings])})"
        remedy = "Remove the others, or choose --several union or --several largest."
        raise CohortError(Problem(one.image.text, found, "one lesion", remedy))
    problems: list[Problem] = []
    rois: list[Roi] = []
    masks: list[NDArray[np.bool_]] = []
    for drawing in one.drawings:
        try:
            rois.append(drawing.roi(size))
            masks.append(drawing.mask(size))
        except RoiError as error:
            problems += [
                replace(p, place=f"{drawing.place} on {one.image.text}") for p in error.problems
            ]
    if problems:
        raise CohortError(problems)
    drawings, roi, mask = one.drawings, rois[0], masks[0]
    if several == "largest":
        largest = max(range(len(masks)), key=lambda index: int(masks[index].sum()))
        drawings, roi, mask = [drawings[largest]], rois[largest], masks[largest]
    for other, pixels in zip(rois, masks, strict=True) if len(drawings) > 1 else ():
        roi, mask = enclosing(roi, other), mask | pixels
    outlined = len(drawings) > 1 or drawings[0].is_outlined
    labels = ", ".join(dict.fromkeys(d.label for d in drawings if d.label))
    return NewRoi(one.image, roi, labels, one.source, _png(mask) if outlined else None)


def _true_size(one: _Meant) -> Size:
    """Return the image's size; raise `CohortError` where a tool saw another one."""
    try:
        size = size_of(one.image.path)
    except UnreadableImage as error:
        row = f"row {one.image.row} of the table, {one.image.text}"
        raise CohortError([replace(p, place=row) for p in error.problems]) from error
    problems = [
        Problem(
            place,
            f"shapes on an image of {seen[0]} x {seen[1]} px",
            f"{size[0]} x {size[1]} px, as {one.image.text} has",
            "Annotate the image file that the table lists, not a resized or rotated copy.",
        )
        for place, seen in one.sizes
        if seen != size
    ]
    if problems:
        raise CohortError(problems)
    return size


def _png(mask: NDArray[np.bool_]) -> bytes:
    stream = BytesIO()
    Image.fromarray(mask.astype(np.uint8) * 255).save(stream, format="PNG", optimize=True)
    return stream.getvalue()


def _join_names(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more
