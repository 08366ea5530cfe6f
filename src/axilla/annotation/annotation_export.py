"""The study's rectangles and outlines for other tools."""

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from axilla.annotation.boxes import roi_from_mask
from axilla.annotation.image_index import StudyImage, size_of
from axilla.annotation.rle import encode_coco
from axilla.imaging.raster import decode_mask
from axilla.records.errors import AxillaError, CohortError, Problem, RoiError, UnreadableImage
from axilla.records.roi_rectangle import DrawnRoi, Roi

_NO_CLASS = "lesion"


def own_roi(image: StudyImage) -> Roi | None:
    """Return the rectangle that the table gives an image, or that of its mask.

    Raises `UnreadableImage` or `RoiError` if the mask is damaged or empty.
    """
    if image.roi is not None or image.mask is None:
        return image.roi
    return roi_from_mask(decode_mask(image.mask))


def coco_file(rois: Sequence[tuple[StudyImage, DrawnRoi]]) -> bytes:
    """Return a COCO file of the rectangles, and of the masks as compressed run lengths.

    File names are the paths of the table; a rectangle without a class is a lesion. Raises
    `CohortError` with every image or mask that cannot be read.
    """
    labels = sorted({drawn.label or _NO_CLASS for _, drawn in rois})
    classes = {label: number for number, label in enumerate(labels, start=1)}
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    problems: list[Problem] = []
    for number, (image, drawn) in enumerate(rois, start=1):
        try:
            width, height = size_of(image.path)
            segmentation, area = _segmentation(drawn)
        except (UnreadableImage, RoiError) as error:
            problems += name_files_as_table(error, image)
            continue
        images.append({"id": number, "file_name": image.text, "width": width, "height": height})
        roi = drawn.roi
        annotations.append(
            {
                "id": number,
                "image_id": number,
                "category_id": classes[drawn.label or _NO_CLASS],
                "bbox": list(roi.sides),
                "area": area,
                "segmentation": segmentation,
                "iscrowd": 0,
            }
        )
    if problems:
        raise CohortError(problems)
    categories = [{"id": number, "name": label} for label, number in classes.items()]
    content = {"images": images, "annotations": annotations, "categories": categories}
    return f"{json.dumps(content, ensure_ascii=False, indent=1)}\n".encode()


def name_files_as_table(error: AxillaError, image: StudyImage) -> list[Problem]:
    """Return the problems of an image's files under the name that the table gives it."""
    return [replace(problem, place=image.text) for problem in error.problems]


def _segmentation(drawn: DrawnRoi) -> tuple[dict[str, Any] | list[Any], int]:
    """Return the mask as run lengths and its area in px; without a mask, none and the box's."""
    if drawn.mask is None:
        return [], drawn.roi.width_px * drawn.roi.height_px
    mask = decode_mask(drawn.mask)
    return {"size": list(mask.shape), "counts": encode_coco(mask)}, int(mask.sum())
