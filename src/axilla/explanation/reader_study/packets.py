"""Write the packet of one reader: a page without network access, images, and an answer table."""

import csv
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from io import BytesIO, StringIO
from pathlib import Path
from string import Template
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from axilla.explanation.heatmap_file import FloatMap
from axilla.explanation.overlay import STRENGTH, colours, enlarge_map, strength
from axilla.explanation.reader_study.case_sampling import CaseShowing
from axilla.explanation.reader_study.reading_questions import Criteria
from axilla.records.errors import Problem, StudyError
from axilla.records.roi_rectangle import Roi
from axilla.records.run_folder import write_bytes
from axilla.records.types import IMAGE_MODALITIES, ImageModality

Pixels = NDArray[np.uint8]

_LONGEST_PX: Final = 1400
_MAP_PX: Final = 448
COLUMNS: Final = (
    "reader", "case", "modality", "criterion", "present", "attention_matches", "comment", "packet",
)  # fmt: skip
ANSWERS: Final = "answers.csv"
PAGE: Final = "index.html"
IMAGES: Final = "images"
_DATA: Final = re.compile(r'<script type="application/json" id="data">(.*?)</script>', re.DOTALL)
_PAGE: Final = files("axilla.explanation.reader_study") / "page"


@dataclass(frozen=True, slots=True)
class PacketPicture:
    """PNG bytes of an image and of its map, and where the map lies, in percent of the image.

    `box_percent` is left, top, width, height. The files hold pixels and nothing else.
    """

    image: bytes
    map: bytes
    size_px: tuple[int, int]
    box_percent: tuple[float, float, float, float]


def render_picture(
    pixels: Pixels, values: FloatMap, *, window: Roi, scale: float, signed: bool = False
) -> PacketPicture:
    """Return an image (H, W, 3) and its map (h, w), as a reader gets them its strength alone.

    With `signed` the map has both colours, for people who may know the prediction.
    """
    height, width = pixels.shape[:2]
    image = Image.fromarray(np.ascontiguousarray(pixels))
    image.thumbnail((_LONGEST_PX, _LONGEST_PX), Image.Resampling.LANCZOS)
    factor = min(1.0, _MAP_PX / max(window.width_px, window.height_px))
    paint = enlarge_map(
        values,
        width_px=max(1, round(window.width_px * factor)),
        height_px=max(1, round(window.height_px * factor)),
    )
    box = (
        window.left_px / width,
        window.top_px / height,
        window.width_px / width,
        window.height_px / height,
    )
    left, top, across, down = (round(side * 100, 4) for side in box)
    return PacketPicture(
        _png(image),
        _png(Image.fromarray((colours if signed else strength)(paint, scale))),
        image.size,
        (left, top, across, down),
    )


def usable_decoy(decoy: FloatMap | None) -> bool:
    """Tell whether a decoy shows anything: its values differ in size."""
    return decoy is not None and bool(np.isfinite(decoy).all()) and np.ptp(np.abs(decoy)) > 0


def disguise_decoy(decoy: FloatMap, real: FloatMap) -> FloatMap:
    """Return the decoy's places with the real map's strengths: its |values|, dealt out by rank.

    A model with shuffled weights gives maps that are weaker or stronger than the cohort's, and a
    reader would know them by that. So a decoy differs from its real map only in where it is
    strong.
    """
    order = np.argsort(np.abs(decoy), axis=None, kind="stable")
    dealt = np.empty(real.size, np.float32)
    dealt[order] = np.sort(np.abs(real), axis=None)
    return dealt.reshape(real.shape)


def _png(image: Image.Image) -> bytes:
    stream = BytesIO()
    image.save(stream, "PNG")
    return stream.getvalue()


@dataclass(frozen=True, slots=True)
class Packet:
    """What is common to the files of one reader's packet; `items` stand in the reader's order."""

    name: str
    reader: str
    criteria: Criteria
    items: tuple[CaseShowing, ...]


@dataclass(frozen=True, slots=True)
class Place:
    """The size of an image, and where its map lies: left, top, width, height in percent of it."""

    size_px: tuple[int, int]
    box_percent: tuple[float, ...]


def image_names(case: str, modality: ImageModality) -> tuple[str, str]:
    """Return the file names of a showing's image and of its map."""
    return f"{case}-{modality}.png", f"{case}-{modality}-map.png"


def write_packet(
    folder: Path, packet: Packet, pictures: Mapping[tuple[str, ImageModality], PacketPicture]
) -> None:
    """Write page, table and images; `pictures` are by code and modality.

    Images are written in the order of their codes, so that times of files tell no order either.
    """
    for earlier in (folder / IMAGES).glob("C[0-9]*.png"):
        earlier.unlink()
    for (case, modality), shown in sorted(pictures.items()):
        image, heat = image_names(case, modality)
        write_bytes(folder / IMAGES / image, shown.image)
        write_bytes(folder / IMAGES / heat, shown.map)
    write_bytes(folder / ANSWERS, template(packet))
    write_bytes(folder / PAGE, page(packet, pictures).encode())


def template(packet: Packet) -> bytes:
    """Return answers.csv without answers, in the reader's order, as spreadsheets open it."""
    stream = StringIO(newline="")
    writer = csv.writer(stream, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    for item, modality, criterion in list_questions(packet.items, packet.criteria):
        writer.writerow(
            [packet.reader, item.case, modality, criterion, "", "", "", packet.name],
        )
    return stream.getvalue().encode("utf-8-sig")


def list_questions(
    items: Iterable[CaseShowing], criteria: Criteria
) -> Iterator[tuple[CaseShowing, ImageModality, str]]:
    """Yield every question of showings, in their order."""
    for item in items:
        for modality in item.modalities:
            for criterion in criteria[modality]:
                yield item, modality, criterion


def page(packet: Packet, pictures: Mapping[tuple[str, ImageModality], PacketPicture]) -> str:
    """Return the page that shows one case at a time and keeps the answers in the browser."""
    data = {
        "packet": packet.name,
        "reader": packet.reader,
        "criteria": {modality: list(texts) for modality, texts in packet.criteria.items()},
        "columns": list(COLUMNS),
        "cases": [
            {"case": item.case, "images": [_image(item, m, pictures) for m in item.modalities]}
            for item in packet.items
        ],
    }
    red, green, blue = STRENGTH
    return Template(_text("page.html")).substitute(
        reader=packet.reader,
        style=_text("page.css"),
        strength=f"{red} {green} {blue}",
        script=_text("page.js"),
        data=json.dumps(data, ensure_ascii=False).replace("<", "\\u003c"),
    )


def read_places(folder: Path) -> dict[tuple[str, ImageModality], Place]:
    """Return where maps lie on their images, as the page of a packet has it.

    Raises `StudyError` if the page is missing or damaged.
    """
    try:
        found = _DATA.search((folder / PAGE).read_text(encoding="utf-8"))
        data = json.loads(found[1]) if found else {}
        return {
            (str(case["case"]), modality): Place(
                (int(image["size"][0]), int(image["size"][1])),
                tuple(float(side) for side in image["box"]),
            )
            for case in data["cases"]
            for image in case["images"]
            for modality in IMAGE_MODALITIES
            if modality == image["modality"]
        }
    except (OSError, ValueError, KeyError, TypeError, IndexError) as error:
        remedy = "Run `axilla review export` again with the same settings."
        where, found_there = f"{folder.name}/{PAGE}", "no readable packet"
        raise StudyError(Problem(where, found_there, "a reader's packet", remedy)) from error


def has_answers(folder: Path, templates: Sequence[bytes]) -> bool:
    """Tell whether a packet's folder holds answers: a filled table, or files of the page."""
    table = folder / ANSWERS
    filled = table.is_file() and table.read_bytes() not in templates and _is_filled(table)
    own = {folder / ANSWERS, folder / PAGE, folder / IMAGES}
    return filled or any(
        path not in own and path.suffix.lower() in (".csv", ".json", ".xlsx")
        for path in (folder.iterdir() if folder.is_dir() else ())
    )


def _is_filled(table: Path) -> bool:
    """Tell whether any row answers anything; a table of unknown shape counts as filled."""
    try:
        rows = list(csv.DictReader(StringIO(table.read_text(encoding="utf-8-sig"), newline="")))
    except (UnicodeDecodeError, csv.Error):
        return True
    known = {"present", "attention_matches", "comment"}
    return any(not known <= set(row) or any(row[name] for name in known) for row in rows)


def _image(
    item: CaseShowing,
    modality: ImageModality,
    pictures: Mapping[tuple[str, ImageModality], PacketPicture],
) -> dict[str, Any]:
    image, heat = image_names(item.case, modality)
    shown = pictures[item.case, modality]
    return {
        "modality": modality,
        "image": f"{IMAGES}/{image}",
        "map": f"{IMAGES}/{heat}",
        "size": list(shown.size_px),
        "box": list(shown.box_percent),
    }


def _text(name: str) -> str:
    return (_PAGE / name).read_text(encoding="utf-8")
