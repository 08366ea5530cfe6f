"""A bundle in memory that answers cases: probability, familiarity, heatmaps. Imports torch."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from axilla.imaging.slides.opening import close_slides
from axilla.inference.bundle import read_bundle
from axilla.inference.case_io import as_json_of
from axilla.inference.manifest import Manifest
from axilla.inference.prediction_warnings import Caution
from axilla.inference.predictor import Prediction, Predictor
from axilla.inference.tiling import in_tiles
from axilla.records.digests import digest_of_files
from axilla.records.errors import AxillaError, Problem
from axilla.records.patients import Patient
from axilla.web.prediction.uploaded_case import Held
from axilla.web.prediction.worker.drawing import Artist
from axilla.web.prediction.worker.messages import Message, refused
from axilla.web.prediction.worker.patients import patient_of
from axilla.web.prediction.worker.worker_loop import too_large


@dataclass(frozen=True, slots=True)
class _Read:
    """A case whose files are there, and what is odd about its slides."""

    patient: Patient
    remarks: tuple[str, ...]
    heatmaps: bool


@dataclass(frozen=True, slots=True)
class Loaded:
    """The networks of one bundle; `digest` names the file."""

    predictor: Predictor
    artist: Artist
    digest: str

    def answer(self, batch: Sequence[Message], folder: Path) -> list[Message]:
        """Answer cases together; one that cannot be read spoils none of the others."""
        with Held(folder) as held:
            read = [self._read(message, held) for message in batch]
            cases = [one for one in read if isinstance(one, _Read)]
            answers = iter(self._predicted(cases))
            found = [next(answers) if isinstance(one, _Read) else one for one in read]
        close_slides()
        return found

    def _read(self, message: Message, held: Held) -> _Read | Message:
        try:
            patient = patient_of(message, held)
            pathology, remarks = in_tiles(patient.pathology, self.predictor.manifest)
        except AxillaError as error:
            return _told(error)
        except MemoryError:
            return too_large("images")
        return _Read(
            replace(patient, pathology=pathology), remarks, bool(message.content["heatmaps"])
        )

    def _predicted(self, cases: Sequence[_Read]) -> list[Message]:
        try:
            predictions = self.predictor.predict([case.patient for case in cases]) if cases else []
        except (AxillaError, MemoryError) as error:
            if len(cases) > 1:
                return [answer for case in cases for answer in self._predicted([case])]
            return [_told(error) if isinstance(error, AxillaError) else too_large("images")]
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


def load(path: Path, legend: Path | None) -> Loaded | Message:
    """Read a bundle; of one that cannot be read, return the answer that everybody gets."""
    try:
        bundle = read_bundle(path)
        return Loaded(Predictor(bundle), Artist(bundle, legend), digest_of_files([path]))
    except (AxillaError, OSError) as error:
        message = _told(error) if isinstance(error, AxillaError) else refused(_missing(path))
        return Message(message.content | {"unavailable": True})


def _parts(warning: str) -> dict[str, Any]:
    """Return what a warning is made of; one of a slide is whole as it is."""
    if isinstance(warning, Caution):
        return {"template": warning.template, "values": warning.values}
    return {"template": warning, "values": {}}


def _facts(manifest: Manifest) -> dict[str, Any]:
    """Return what else an answer says of its bundle: the file may be another one meanwhile."""
    names = ("axilla_version", "study", "positive", "patients", "positives", "performance_note")
    facts = {name: getattr(manifest, name) for name in names}
    return facts | {"recalibration": manifest.recalibrated_by}


def _missing(path: Path) -> Problem:
    return Problem(path.name, "no file that can be read", "a bundle", "Run `axilla run`.")


def _told(error: AxillaError) -> Message:
    return refused(*(error.problems or (Problem("case", str(error), "something usable"),)))
