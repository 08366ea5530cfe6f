"""Seeds: one lesion as each annotation tool writes it, in several shapes."""

import base64
import io
import json
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from axilla.annotation.rle import encode_coco

WIDTH_PX, HEIGHT_PX = 640, 480
_CORNERS = [[100.5, 50.0], [180.0, 60.25], [170.0, 120.0], [110.0, 115.5]]
_FLAT = [number for corner in _CORNERS for number in corner]
_RING = [*_CORNERS, _CORNERS[0]]
_COMMON = 'label="lesion" source="manual" occluded="0" z_order="0"'
_CVAT = f"""\
<?xml version="1.0" encoding="utf-8"?>
<annotations>
<version>1.1</version>
<meta><task><id>4</id><name>breast</name></task></meta>
<image id="0" name="a.jpg" width="{WIDTH_PX}" height="{HEIGHT_PX}">
<polygon {_COMMON} points="100.50,50.00;180.00,60.25;170.00,120.00"></polygon>
<box {_COMMON} xtl="10.4" ytl="20.00" xbr="40.60" ybr="60.00" rotation="30.00"></box>
<ellipse {_COMMON} cx="100" cy="90" rx="40" ry="20" rotation="90"></ellipse>
<mask {_COMMON} rle="3, 4, 5, 4, 8" left="10" top="20" width="6" height="4"></mask>
<tag label="benign"></tag>
</image>
</annotations>
"""


def annotation_files() -> Mapping[str, bytes]:
    """Return files of COCO, LabelMe, Label Studio, CVAT and QuPath."""
    files: dict[str, Any] = {
        "coco.json": _coco(),
        "labelme.json": _labelme(),
        "studio.json": [_label_studio()],
        "a.geojson": _qupath(),
    }
    encoded = {name: json.dumps(content).encode() for name, content in files.items()}
    return encoded | {"cvat.xml": _CVAT.encode()}


def _mask() -> NDArray[np.bool_]:
    mask = np.zeros((HEIGHT_PX, WIDTH_PX), dtype=np.bool_)
    mask[55:110, 110:170] = True
    return mask


def _brush() -> list[int]:
    """Return the mask packed as Label Studio's brush does: runs of words of 8 bits, RGBA."""
    words = np.repeat(_mask().ravel(), 4)
    ends = [*(np.flatnonzero(np.diff(words)) + 1), words.size]
    bits = [f"{words.size:032b}{7:05b}" + f"{15:04b}" * 4]
    start = 0
    for end in ends:
        for begin in range(start, end, 1 << 16):
            length = min(end - begin, 1 << 16)
            bits.append(f"1{3:02b}{length - 1:016b}{255 * int(words[begin]):08b}")
        start = end
    text = "".join(bits)
    return [int(text[i : i + 8].ljust(8, "0"), 2) for i in range(0, len(text), 8)]


def _coco() -> dict[str, Any]:
    segmentations: tuple[object, ...] = (
        [_FLAT],
        {"size": [HEIGHT_PX, WIDTH_PX], "counts": [1000, 40, HEIGHT_PX * WIDTH_PX - 1040]},
        {"size": [HEIGHT_PX, WIDTH_PX], "counts": encode_coco(_mask())},
    )
    return {
        "images": [
            {"id": n, "file_name": f"{n}.jpg", "width": WIDTH_PX, "height": HEIGHT_PX}
            for n in range(3)
        ],
        "annotations": [
            {"id": n, "image_id": n, "category_id": 3, "iscrowd": n % 2, "area": 9.0,
             "bbox": [100.0, 50.0, 80.0, 70.0], "segmentation": outline}
            for n, outline in enumerate(segmentations)
        ],
        "categories": [{"id": 3, "name": "lesion", "supercategory": ""}],
    }  # fmt: skip


def _labelme() -> dict[str, Any]:
    buffer = io.BytesIO()
    Image.fromarray(_mask()[50:70, 100:130].astype(np.uint8)).save(buffer, "PNG")
    patch = base64.b64encode(buffer.getvalue()).decode()
    shapes: tuple[dict[str, Any], ...] = (
        {"shape_type": "polygon", "points": _CORNERS},
        {"shape_type": "rectangle", "points": [[180, 120], [100, 50]]},
        {"shape_type": "circle", "points": [[60, 50], [60, 60.5]]},
        {"shape_type": "mask", "points": [[100, 50], [129, 69]], "mask": patch},
    )
    return {
        "version": "5.5.0",
        "flags": {},
        "shapes": [{"label": "lesion", "group_id": None, "flags": {}, **shape} for shape in shapes],
        "imagePath": "..\\images\\a.jpg",
        "imageData": None,
        "imageHeight": HEIGHT_PX,
        "imageWidth": WIDTH_PX,
    }


def _label_studio() -> dict[str, Any]:
    box = {"x": 10.0, "y": 20.0, "width": 30.0, "height": 15.5, "rotation": 30}
    ellipse = {"x": 50.0, "y": 40.0, "radiusX": 10.0, "radiusY": 5.0, "rotation": 0}
    brush = {"format": "rle", "rle": _brush()}
    results: tuple[tuple[str, dict[str, Any]], ...] = (
        ("rectanglelabels", box),
        ("ellipselabels", ellipse),
        ("polygonlabels", {"points": [[10, 10], [30, 12.5], [20, 30]]}),
        ("brushlabels", brush),
    )
    return {
        "id": 7,
        "annotations": [{"id": 1, "was_cancelled": False, "result": [
            {"id": f"r{n}", "type": kind, "from_name": "label", "to_name": "image",
             "original_width": WIDTH_PX, "original_height": HEIGHT_PX, "image_rotation": 0,
             "value": {**value, kind: ["lesion"]}}
            for n, (kind, value) in enumerate(results)
        ]}],
        "file_upload": "1a2b3c4d-a.jpg",
        "predictions": [],
        "data": {"image": "/data/upload/3/1a2b3c4d-a.jpg"},
    }  # fmt: skip


def _qupath() -> dict[str, Any]:
    geometries: tuple[dict[str, Any], ...] = (
        {"type": "Polygon", "coordinates": [_RING]},
        {"type": "MultiPolygon", "coordinates": [[_RING], [_RING]]},
        {"type": "Point", "coordinates": [3, 4]},
    )
    about = {"objectType": "annotation", "classification": {"name": "lesion", "color": [200, 0, 0]}}
    return {
        "type": "FeatureCollection",
        "features": [
            {"type": "Feature", "id": str(n), "geometry": geometry, "properties": about}
            for n, geometry in enumerate(geometries)
        ],
    }
