"""A bundle in memory that predicts cases and renders heatmaps. Imports torch."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, get_args

import numpy as np

from axilla.explanation.faithfulness.case_selection import top_images
from axilla.explanation.heatmap_file import Legend, read_legend
from axilla.explanation.methods.case_model import CaseModel, Described
from axilla.explanation.methods.explainer import Explainer, Method
from axilla.explanation.reader_study.packets import render_picture
from axilla.imaging.open_image import open_picture, require_frame, require_ultrasound
from axilla.imaging.slides.slide_pool import close_slides
from axilla.inference.bundle import Bundle, read_bundle
from axilla.inference.case_bags import in_tiles
from axilla.inference.case_io import as_json_of
from axilla.inference.manifest import Manifest
from axilla.inference.prediction_warnings import PredictionWarning
from axilla.inference.predictor import Prediction, Predictor
from axilla.preprocessing.prepare import window_of
from axilla.records.digests import digest_of_files
from axilla.records.errors import AxillaError, Problem, StudyError
from axilla.records.patients import ImageFile, Patient
from axilla.records.roi_rectangle import Roi
from axilla.records.types import ImageModality
from axilla.web.prediction.uploaded_case import TempFiles
from axilla.web.prediction.worker.worker_loop import too_large
from axilla.web.prediction.worker.worker_process import Message, refusal_message

_PERCENTILE: Final = 99
CASE: Final = "case"


@dataclass(frozen=True, slots=True)
class RenderedHeatmap:
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

    def draw(self, patient: Patient) -> list[RenderedHeatmap]:
        """Return a heatmap of each modality: of the image that counts most in its bag."""
        described = self._model.describe([patient])
        return [
            self._draw(patient, described, modality)
            for modality in self._model.image_modalities
            if patient.images(modality)
        ]

    def _draw(
        self, patient: Patient, described: Described, modality: ImageModality
    ) -> RenderedHeatmap:
        which = top_images(described, modality)
        explainer = self._explainer(modality)
        values = explainer.explain(described, which).values[0].numpy()
        place = int(which[0])
        file = patient.images(modality)[place]
        scale, shared = self._scale(modality, explainer.method, values)
        picture = render_picture(
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
        return RenderedHeatmap(picture.image, picture.map, content)

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


def patient_of(message: Message, held: TempFiles) -> Patient:
    """Return the patient of a message, files held; raise `UnreadableImage` or `RoiError`."""
    content = message.content

    def path_of(told: Mapping[str, Any], name: str) -> Path:
        return held.put(message.blobs[told["blob"]], f"{name}{told['suffix']}")

    def ultrasound(told: Mapping[str, Any], name: str) -> ImageFile:
        file = ImageFile(path_of(told, name), frame=told["frame"])
        require_ultrasound(file.path)
        if file.frame is not None:
            require_frame(file.path, file.frame)
        roi = Roi(*told["roi"]) if "roi" in told else None
        mask = path_of(told["mask"], f"{name}-mask") if "mask" in told else None
        return replace(file, roi=roi, mask=mask)

    def pathology(told: Mapping[str, Any], name: str) -> ImageFile:
        return ImageFile(path_of(told, name), mpp=told["mpp"])

    return Patient(
        CASE,
        label=None,
        group=CASE,
        ultrasound=_name_files(content["ultrasound"], ultrasound, "ultrasound"),
        pathology=_name_files(content["pathology"], pathology, "pathology"),
        clinical=content["clinical"],
    )


def _name_files(
    files: Sequence[Mapping[str, Any]],
    make: Callable[[Mapping[str, Any], str], ImageFile],
    name: str,
) -> tuple[ImageFile, ...]:
    return tuple(make(told, f"{name}-{number}") for number, told in enumerate(files, start=1))


@dataclass(frozen=True, slots=True)
class _Read:
    """A case whose files are there, and what is odd about its slides."""

    patient: Patient
    remarks: tuple[str, ...]
    heatmaps: bool


@dataclass(frozen=True, slots=True)
class BundleRuntime:
    """The networks of one bundle; `digest` names the file."""

    predictor: Predictor
    artist: Artist
    digest: str

    def answer(self, batch: Sequence[Message], folder: Path) -> list[Message]:
        """Answer cases together; one that cannot be read spoils none of the others."""
        with TempFiles(folder) as held:
            read = [self._read(message, held) for message in batch]
            cases = [one for one in read if isinstance(one, _Read)]
            answers = iter(self._predict(cases))
            found = [next(answers) if isinstance(one, _Read) else one for one in read]
        close_slides()
        return found

    def _read(self, message: Message, held: TempFiles) -> _Read | Message:
        try:
            patient = patient_of(message, held)
            pathology, remarks = in_tiles(patient.pathology, self.predictor.manifest)
        except AxillaError as error:
            return _error_message(error)
        except MemoryError:
            return too_large("images")
        return _Read(
            replace(patient, pathology=pathology), remarks, bool(message.content["heatmaps"])
        )

    def _predict(self, cases: Sequence[_Read]) -> list[Message]:
        try:
            predictions = self.predictor.predict([case.patient for case in cases]) if cases else []
        except (AxillaError, MemoryError) as error:
            if len(cases) > 1:
                return [answer for case in cases for answer in self._predict([case])]
            return [
                _error_message(error) if isinstance(error, AxillaError) else too_large("images")
            ]
        return [
            self._message(case, prediction)
            for case, prediction in zip(cases, predictions, strict=True)
        ]

    def _message(self, case: _Read, prediction: Prediction) -> Message:
        said = replace(prediction, warnings=(*prediction.warnings, *case.remarks))
        manifest = self.predictor.manifest
        content = as_json_of(said, manifest) | _facts(manifest) | {"digest": self.digest}
        content["cautions"] = [_parts(warning) for warning in said.warnings]
        if not case.heatmaps:
            return Message(content | {"heatmaps": []})
        try:
            drawn = self.artist.draw(case.patient)
        except MemoryError:
            return too_large("heatmaps")
        blobs = tuple(blob for one in drawn for blob in (one.image, one.map))
        return Message(content | {"heatmaps": [one.content for one in drawn]}, blobs)


def load(path: Path, legend: Path | None) -> BundleRuntime | Message:
    """Read a bundle; of one that cannot be read, return the answer that everybody gets."""
    try:
        bundle = read_bundle(path)
        return BundleRuntime(Predictor(bundle), Artist(bundle, legend), digest_of_files([path]))
    except (AxillaError, OSError) as error:
        message = (
            _error_message(error)
            if isinstance(error, AxillaError)
            else refusal_message(_missing(path))
        )
        return Message(message.content | {"unavailable": True})


def _parts(warning: str) -> dict[str, Any]:
    """Return what a warning is made of; one of a slide is whole as it is."""
    if isinstance(warning, PredictionWarning):
        return {"template": warning.template, "values": warning.values}
    return {"template": warning, "values": {}}


def _facts(manifest: Manifest) -> dict[str, Any]:
    """Return what else an answer says of its bundle: the file may be another one meanwhile."""
    names = ("axilla_version", "study", "positive", "patients", "positives", "performance_note")
    facts = {name: getattr(manifest, name) for name in names}
    return facts | {"recalibration": manifest.recalibrated_by}


def _missing(path: Path) -> Problem:
    return Problem(path.name, "no file that can be read", "a bundle", "Run `axilla run`.")


def _error_message(error: AxillaError) -> Message:
    return refusal_message(*(error.problems or (Problem("case", str(error), "something usable"),)))
