"""Files of results/heatmaps: raw signed maps, one file per patient, and what they are maps of."""

import json
import re
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from axilla.records.errors import Problem, RoiError, StudyError
from axilla.records.roi_rectangle import Roi
from axilla.records.run_folder import atomic, write_bytes
from axilla.records.types import IMAGE_MODALITIES, ImageModality

FloatMap = NDArray[np.float32]

ChosenBy = Literal["random", "report"]

FOLDER: Final = "heatmaps"
LEGEND: Final = "explanation.json"

_PLANE: Final = 2
_SUFFIX: Final = ".npz"
# What some file system refuses in a name, and the sign that marks it here.
_REFUSED: Final = re.compile(r'[%/\\:*?"<>|\x00-\x1f]|^\.|[. ]$')
_MARKED: Final = re.compile(r"%([0-9A-F]{2})")
# What numpy and zipfile raise on a file that is cut, damaged or of another kind.
_DAMAGE: Final = (
    OSError,
    EOFError,
    ValueError,
    KeyError,
    RoiError,
    zipfile.BadZipFile,
    zlib.error,
)


@dataclass(frozen=True, slots=True)
class Heatmap:
    """A raw signed map (h, w) float32 of one image; above 0 speaks for the positive class.

    `window` is the part of the image that the map covers, in px of what `open_picture` returns; it
    may reach beyond the image where the model's input was padded. `image` counts the images of the
    patient's bag from 0. `decoy` (h, w) is the map of the same image by the model with shuffled
    weights, if one was made.
    """

    values: FloatMap
    window: Roi
    image: int = 0
    decoy: FloatMap | None = None


@dataclass(frozen=True, slots=True)
class HeatmapFile:
    """The maps of one patient, by modality."""

    maps: Mapping[ImageModality, Heatmap]


@dataclass(frozen=True, slots=True)
class Legend:
    """What all maps of a study share: the model, and by modality the method and the scale.

    `scale` is the value at which colour is full, for both signs and every patient: the 99th
    percentile of |value| over all maps. `chosen` tells whether everybody, or a random sample, was
    mapped, or whom the report shows and the maps' tests need.
    """

    model: str
    method: Mapping[ImageModality, str]
    scale: Mapping[ImageModality, float]
    chosen: ChosenBy = "random"


def file_name(patient_id: str) -> str:
    """Return the name of a patient's file; signs that a file system refuses are written %XX."""
    return _REFUSED.sub(lambda sign: f"%{ord(sign[0]):02X}", patient_id) + _SUFFIX


def patient_of(path: Path) -> str:
    """Return whose file this is: the reverse of `file_name`."""
    return _MARKED.sub(lambda mark: chr(int(mark[1], 16)), path.name.removesuffix(_SUFFIX))


def patients_in(folder: Path) -> dict[str, Path]:
    """Return the files of a heatmaps folder by patient identifier, sorted by identifier."""
    found = {patient_of(path): path for path in folder.glob(f"*{_SUFFIX}")}
    return dict(sorted(found.items()))


def write_heatmaps(path: Path, content: HeatmapFile) -> None:
    """Write the maps of one patient whole or not at all."""
    arrays: dict[str, Any] = {}
    for modality, heatmap in content.maps.items():
        arrays[modality] = np.asarray(heatmap.values, np.float32)
        arrays[f"{modality}_window"] = np.array(heatmap.window.sides, np.int64)
        arrays[f"{modality}_image"] = np.array(heatmap.image, np.int64)
        if heatmap.decoy is not None:
            arrays[f"decoy_{modality}"] = np.asarray(heatmap.decoy, np.float32)
    with atomic(path) as temporary:
        np.savez_compressed(temporary, **arrays)


def read_heatmaps(path: Path) -> HeatmapFile:
    """Read the maps of one patient; raise `StudyError` if the file is not such a file."""
    try:
        # From bytes: numpy leaves a damaged file open.
        stored = np.load(BytesIO(path.read_bytes()), allow_pickle=False)
        arrays = {name: stored[name] for name in getattr(stored, "files", ())}
        maps = {m: _heatmap(arrays, m) for m in IMAGE_MODALITIES if m in arrays}
    except _DAMAGE as error:
        raise _unreadable(path, "no readable heatmaps") from error
    if not maps:
        raise _unreadable(path, "no heatmaps")
    return HeatmapFile(maps)


def write_legend(folder: Path, legend: Legend) -> None:
    """Write explanation.json into the heatmaps folder."""
    content = {
        "model": legend.model,
        "method": dict(legend.method),
        "scale": dict(legend.scale),
        "chosen": legend.chosen,
    }
    write_bytes(folder / LEGEND, f"{json.dumps(content, indent=2)}\n".encode())


def read_legend(folder: Path) -> Legend:
    """Read explanation.json of a heatmaps folder; raise `StudyError` if there is none."""
    path = folder / LEGEND
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        scale = {m: float(content["scale"][m]) for m in IMAGE_MODALITIES if m in content["scale"]}
        method = {m: str(content["method"][m]) for m in scale}
        chosen: ChosenBy = "report" if content.get("chosen") == "report" else "random"
        return Legend(str(content["model"]), method, scale, chosen)
    except FileNotFoundError as error:
        raise _unreadable(path, "no such file") from error
    except (ValueError, KeyError, TypeError) as error:
        raise _unreadable(path, "no readable legend") from error


def _heatmap(arrays: Mapping[str, NDArray[np.generic]], modality: ImageModality) -> Heatmap:
    values = _plane(arrays[modality])
    decoy = arrays.get(f"decoy_{modality}")
    return Heatmap(
        values,
        Roi(*(int(side) for side in arrays[f"{modality}_window"].reshape(4).tolist())),
        int(arrays[f"{modality}_image"].item()),
        None if decoy is None else _plane(decoy, shape=values.shape),
    )


def _plane(array: NDArray[np.generic], *, shape: tuple[int, ...] | None = None) -> FloatMap:
    if array.ndim != _PLANE or not array.size or (shape is not None and array.shape != shape):
        message = f"a map of shape {array.shape}"
        raise ValueError(message)
    return array.astype(np.float32)


def _unreadable(path: Path, found: str) -> StudyError:
    return StudyError(
        Problem(path.name, found, "a file of `axilla explain`", "Run `axilla explain` again.")
    )
