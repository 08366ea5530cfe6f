"""Small pictures of cases, and heatmaps over them: pixels and nothing else of the files."""

import base64
from collections.abc import Mapping
from threading import Lock
from typing import Final

from PIL import Image

from axilla.cohort.cohort_reader import ImagesOf, look_up_images, study_wanted
from axilla.explanation.heatmap_file import Heatmap, read_heatmaps
from axilla.records.errors import CohortError, Problem, RoiError, UnreadableImage
from axilla.records.patients import ImageFile
from axilla.records.types import ImageModality
from axilla.report.images.heatmap_views import views_of
from axilla.report.images.thumbnails import Thumbnail, encode_jpeg, thumbnail_of
from axilla.web.core.http_errors import NotFoundError
from axilla.web.results.case_lists import modalities_of
from axilla.web.results.results_schemas import Pictured, PictureKind
from axilla.web.results.results_view import View

_MOST_KEPT: Final = 1000
_Name = tuple[str, ImageModality, PictureKind]


class CasePictures:
    """The pictures of one view; each is drawn once."""

    def __init__(self, view: View) -> None:
        """Find images when the first is asked for."""
        self._view = view
        self._lock = Lock()
        self._images: Mapping[str, ImagesOf] | None = None
        self._drawn: dict[_Name, bytes] = {}

    def list_images(self, patient: str) -> list[Pictured]:
        """Return which images a patient has, and of which there are heatmaps."""
        found = self._find_images().get(patient)
        maps = self._maps(patient)
        return [
            Pictured(
                modality=modality,
                images=found.listed.get(modality, 0) if found else 0,
                heatmap=modality in maps,
            )
            for modality in modalities_of(self._view.results)
            if found and found.listed.get(modality)
        ]

    def draw(self, patient: str, modality: ImageModality, *, kind: PictureKind) -> bytes:
        """Return a JPEG; raise `NotFoundError` without an image, or without a map."""
        name: _Name = (patient, modality, kind)
        kept = self._drawn.get(name)
        if kept is None:
            kept = self._draw(patient, modality, kind)
            if len(self._drawn) < _MOST_KEPT:
                self._drawn[name] = kept
        return kept

    def _draw(self, patient: str, modality: ImageModality, kind: PictureKind) -> bytes:
        found = self._find_images().get(patient)
        files = found.files.get(modality, ()) if found else ()
        heatmap = self._maps(patient).get(modality)
        if kind != "thumbnail":
            if heatmap is None or heatmap.image >= len(files):
                raise _nothing("a heatmap", "`axilla explain` makes them.")
            return self._views(files[heatmap.image], heatmap, modality, kind=kind)
        if not files:
            raise _nothing("an image", "Restore the file where the cohort table says it is.")
        try:
            return _bytes(thumbnail_of(files[0]))
        except (UnreadableImage, RoiError) as error:
            raise _nothing("an image that can be read", "Restore the file.") from error

    def _views(
        self, file: ImageFile, heatmap: Heatmap, modality: ImageModality, *, kind: PictureKind
    ) -> bytes:
        legend = self._view.results.explained.legend
        scale = legend.scale.get(modality, 0.0) if legend else 0.0
        try:
            views = views_of(file, heatmap, modality=modality, scale=scale)
        except (UnreadableImage, RoiError) as error:
            raise _nothing("an image that can be read", "Restore the file.") from error
        return _bytes(
            encode_jpeg(Image.fromarray(views.original if kind == "image" else views.overlaid))
        )

    def _maps(self, patient: str) -> Mapping[ImageModality, Heatmap]:
        path = self._view.results.explained.maps.get(patient)
        return read_heatmaps(path).maps if path is not None and path.is_file() else {}

    def _find_images(self) -> Mapping[str, ImagesOf]:
        """Return all patients' images, or none where the table has moved since."""
        with self._lock:
            if self._images is None:
                self._images = self._look_up()
            return self._images

    def _look_up(self) -> Mapping[str, ImagesOf]:
        results, root = self._view.results, self._view.folder.root
        try:
            wanted = study_wanted(results.config, root)
            patients = set(results.predictions["patient_id"])
            return look_up_images(root / results.config.cohort.table, wanted, patients=patients)
        except CohortError:
            return {}


def _bytes(picture: Thumbnail) -> bytes:
    return base64.b64decode(picture.uri.split(",", maxsplit=1)[1])


def _nothing(expected: str, remedy: str) -> NotFoundError:
    return NotFoundError(Problem("picture", "none", expected, remedy))
