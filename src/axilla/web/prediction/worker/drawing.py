"""Heatmaps of one case, as pictures that a page lays over each other. Imports torch."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, get_args

import numpy as np

from axilla.explanation.faithfulness.case_selection import top_images
from axilla.explanation.heatmap_file import Legend, read_legend
from axilla.explanation.methods.case_model import CaseModel, Described
from axilla.explanation.methods.explainer import Explainer, Method
from axilla.explanation.reader_study.pictures import shown
from axilla.imaging.open_image import open_picture
from axilla.inference.bundle import Bundle
from axilla.preprocessing.prepare import window_of
from axilla.records.errors import StudyError
from axilla.records.patients import Patient
from axilla.records.types import ImageModality

_PERCENTILE: Final = 99


@dataclass(frozen=True, slots=True)
class Drawn:
    """One heatmap: PNG bytes of the image and of its signed map, and what is said of them."""

    image: bytes
    map: bytes
    content: dict[str, Any]


class Artist:
    """Draws the heatmaps of cases, in the colours of the study's own where there are any."""

    def __init__(self, bundle: Bundle, legend: Path | None) -> None:
        """Make the networks and find the colour scale in `legend`, a study's heatmaps folder."""
        self._model = CaseModel(bundle)
        self._legend = _legend(legend, model=bundle.manifest.model)
        self._explainers: dict[ImageModality, Explainer] = {}

    def draw(self, patient: Patient) -> list[Drawn]:
        """Return a heatmap of each modality: of the image that counts most in its bag."""
        described = self._model.describe([patient])
        return [
            self._draw(patient, described, modality)
            for modality in self._model.image_modalities
            if patient.images(modality)
        ]

    def _draw(self, patient: Patient, described: Described, modality: ImageModality) -> Drawn:
        which = top_images(described, modality)
        explainer = self._explainer(modality)
        values = explainer.explain(described, which).values[0].numpy()
        place = int(which[0])
        file = patient.images(modality)[place]
        scale, shared = self._scale(modality, explainer.method, values)
        picture = shown(
            open_picture(file).pixels,
            values,
            window=window_of(file, modality, settings=self._model.pixels),
            scale=scale,
            signed=True,
        )
        content = {
            "modality": modality,
            "image": file.path.stem,
            "method": explainer.method,
            "scale": scale,
            "scale_shared": shared,
            "share": float(described.images[modality].share[place]),
            "width_px": picture.size_px[0],
            "height_px": picture.size_px[1],
            "box_percent": list(picture.box_percent),
        }
        return Drawn(picture.image, picture.map, content)

    def _explainer(self, modality: ImageModality) -> Explainer:
        if modality not in self._explainers:
            asked = self._legend.method.get(modality, "") if self._legend else ""
            method: Method = next((m for m in get_args(Method) if m == asked), "gradcam")
            self._explainers[modality] = Explainer(self._model, modality, method=method)
        return self._explainers[modality]

    def _scale(
        self, modality: ImageModality, method: str, values: np.ndarray[Any, np.dtype[np.float32]]
    ) -> tuple[float, bool]:
        """Return at which value colour is full, and whether all maps of the study share it."""
        if self._legend and self._legend.method.get(modality) == method:
            return self._legend.scale[modality], True
        return float(np.percentile(np.abs(values), _PERCENTILE)), False


def _legend(folder: Path | None, *, model: str) -> Legend | None:
    """Return the study's legend if its maps are of this model: another's scale says nothing."""
    try:
        found = read_legend(folder) if folder else None
    except StudyError:
        return None
    return found if found is not None and found.model == model else None
