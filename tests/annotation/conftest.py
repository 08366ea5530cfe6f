"""A study of real sample images, and the lesions that its masks mark, as tools write them."""

import base64
import json
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from skimage.measure import find_contours

from axilla.annotation.boxes import roi_from_mask
from axilla.config.load import read_study
from axilla.imaging.raster import decode_mask
from axilla.records.roi_rectangle import Roi


@dataclass
class Lesion:
    """One image of the study: its path in the table, its mask (H, W) and what encloses it."""

    image: str
    mask: np.ndarray

    @property
    def size(self) -> tuple[int, int]:
        return self.mask.shape[1], self.mask.shape[0]

    @property
    def roi(self) -> Roi:
        return roi_from_mask(self.mask)

    @property
    def corners(self) -> list[list[float]]:
        """The lesion's outline as a reader would draw it: (x, y), pixel (0, 0) from 0 to 1."""
        padded = np.pad(self.mask, 1).astype(float)
        contour = max(find_contours(padded, 0.5), key=len)
        return (contour[:-1, ::-1] - 0.5).tolist()


class Drawn:
    """The study folder, its lesions, and a file of every tool with one of them."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.config = read_study(root / "study.toml")
        table = pd.read_csv(root / "cohort.csv", dtype=str, keep_default_na=False)
        self.lesions = [
            Lesion(row["ultrasound"], decode_mask(root / row["ultrasound_mask"]))
            for _, row in table.head(4).iterrows()
        ]

    def write(self, name: str, content: object) -> Path:
        path = self.root / name
        text = content if isinstance(content, str) else json.dumps(content)
        path.write_text(text, encoding="utf-8")
        return path

    def coco(self, *annotations: dict, lesions: list[Lesion] | None = None) -> dict:
        """Return a COCO file; annotation number n is on image n, of class lesion."""
        lesions = self.lesions if lesions is None else lesions
        return {
            "info": {"description": "breast", "year": 2026},
            "licenses": [],
            "images": [
                {
                    "id": n,
                    "file_name": lesion.image,
                    "width": lesion.size[0],
                    "height": lesion.size[1],
                    "date_captured": "2026-01-01",
                }
                for n, lesion in enumerate(lesions)
            ],
            "annotations": [
                {"id": n, "image_id": n, "category_id": 3, "iscrowd": 0, "area": 9.0, **annotation}
                for n, annotation in enumerate(annotations)
            ],
            "categories": [
                {"id": 3, "name": "lesion", "supercategory": ""},
                {"id": 4, "name": "node", "supercategory": ""},
            ],
        }

    def labelme(self, lesion: Lesion, *shapes: dict) -> dict:
        return {
            "version": "5.5.0",
            "flags": {},
            "shapes": [
                {"label": "lesion", "group_id": None, "description": "", "flags": {}, **shape}
                for shape in shapes
            ],
            "imagePath": f"..\\{lesion.image}".replace("/", "\\"),
            "imageData": None,
            "imageHeight": lesion.size[1],
            "imageWidth": lesion.size[0],
        }

    def label_studio(self, lesion: Lesion, *results: dict) -> dict:
        name = Path(lesion.image).name
        return {
            "id": 7,
            "annotations": [
                {
                    "id": 1,
                    "completed_by": 1,
                    "was_cancelled": False,
                    "result": [
                        {
                            "id": "a1b2c3",
                            "from_name": "label",
                            "to_name": "image",
                            "origin": "manual",
                            "original_width": lesion.size[0],
                            "original_height": lesion.size[1],
                            "image_rotation": 0,
                            **result,
                        }
                        for result in results
                    ],
                }
            ],
            "file_upload": f"1a2b3c4d-{name}",
            "predictions": [],
            "data": {"image": f"/data/upload/3/1a2b3c4d-{name}"},
            "meta": {},
        }

    def cvat(self, *images: tuple[Lesion, str]) -> str:
        inner = "\n".join(
            f'<image id="{n}" name="{Path(lesion.image).name}" width="{lesion.size[0]}" '
            f'height="{lesion.size[1]}">{shapes}</image>'
            for n, (lesion, shapes) in enumerate(images)
        )
        return (
            '<?xml version="1.0" encoding="utf-8"?>\n<annotations>\n<version>1.1</version>\n'
            "<meta><task><id>4</id><name>breast</name><mode>annotation</mode></task></meta>\n"
            f"{inner}\n</annotations>\n"
        )

    def qupath(self, *geometries: dict, **properties: object) -> dict:
        return {
            "type": "FeatureCollection",
            "features": [
                {
                    "type": "Feature",
                    "id": "5a8f0b0e-5d56-4a0c-9a33-8a6f0a1c2d3e",
                    "geometry": geometry,
                    "properties": {
                        "objectType": "annotation",
                        "classification": {"name": "lesion", "color": [200, 0, 0]},
                        **properties,
                    },
                }
                for geometry in geometries
            ],
        }


def png_text(mask: np.ndarray) -> str:
    stream = BytesIO()
    Image.fromarray(mask.astype(np.uint8)).save(stream, format="PNG")
    return base64.b64encode(stream.getvalue()).decode()


@pytest.fixture
def drawn(tmp_path, make_study):
    return Drawn(make_study(tmp_path / "study"))


@pytest.fixture
def embedded():
    return png_text
