"""Which patients' heatmaps the report shows: a rule that was fixed before any map was seen."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from axilla.cohort.cohort_reader import ImagesOf, look_up_images, study_wanted
from axilla.explanation.heatmap_file import Heatmap, Legend, read_heatmaps
from axilla.records.errors import CohortError, RoiError, UnreadableImage
from axilla.records.patients import ImageFile
from axilla.records.run_folder import RunFolder
from axilla.records.table_columns import PREDICTIONS, read_results
from axilla.records.types import BEST_SINGLE, IMAGE_MODALITIES, SELECTED, ImageModality
from axilla.report.images.heatmap_views import Views, small, views_of
from axilla.report.reported_models import StudyModel
from axilla.report.sections.failure_gallery import ModelOpinion, said_by
from axilla.report.study_results import StudyResults

RULE = (
    "Of positive and of negative patients, called rightly and called wrongly, the most certain and "
    "the least certain: whose probability lies farthest from the threshold, and nearest to it."
)

_MOST_TILES = 4


@dataclass(frozen=True, slots=True)
class BagTile:
    """Another image of a bag, and how much it counts in it."""

    pixels: NDArray[np.uint8]
    share: float


@dataclass(frozen=True, slots=True)
class ExplainedImage:
    """One modality of a case: its image beside its map, or why there is none.

    `mean` is the map's: what the image adds to the logit, to first order. `share` is how much it
    counts in its bag of `images`; `tiles` are those that count most beside it.
    """

    modality: ImageModality
    views: Views | None
    note: str
    share: float = 1.0
    images: int = 1
    tiles: tuple[BagTile, ...] = ()
    mean: float = np.nan


@dataclass(frozen=True, slots=True)
class ChosenPatient:
    """A patient whom the rule chose, and at which end of its kind."""

    patient_id: str
    positive: bool
    said: ModelOpinion
    certain: bool
    alone: bool


@dataclass(frozen=True, slots=True)
class ExplainedCase:
    """A patient with what the explained model said; `certain` tells most from least certain.

    `alone` has no other of its kind.
    """

    patient_id: str
    positive: bool
    said: ModelOpinion
    certain: bool
    alone: bool
    shown: tuple[ExplainedImage, ...]

    @property
    def right(self) -> bool:
        """Tell whether the model called the patient rightly."""
        return self.said.positive == self.positive

    @property
    def kind(self) -> tuple[bool, bool]:
        """Which of four kinds the case is of: outcome, and whether it was called rightly."""
        return self.positive, self.right

    @property
    def outcome(self) -> str:
        """The truth in a word."""
        return "positive" if self.positive else "negative"

    @property
    def call(self) -> str:
        """What the model called it, and whether that is right."""
        called = "positive" if self.said.positive else "negative"
        return f"called {called}: {'right' if self.right else 'wrong'}"

    @property
    def standing(self) -> str:
        """Why the rule chose the case among its kind."""
        if self.alone:
            return "the only one"
        return "most certain" if self.certain else "least certain"


@dataclass(frozen=True, slots=True)
class ExplainedCases:
    """Up to eight cases, with the legend of their maps."""

    legend: Legend
    cases: tuple[ExplainedCase, ...]
    note: str = ""


def explained_cases(results: StudyResults, root: Path) -> ExplainedCases | None:
    """Return the cases with their images, read again from where the table under `root` says.

    None without heatmaps of patients whom the model predicted. An image that has moved since is a
    note in its place, not a failure of the report.
    """
    legend, model = results.explained.legend, explained_model(results)
    chosen = chosen_cases(results, model.name) if model is not None else []
    if legend is None or not chosen:
        return None
    wanted = study_wanted(results.config, root)
    table, note = root / results.config.cohort.table, ""
    found: Mapping[str, ImagesOf] = {}
    try:
        found = look_up_images(table, wanted, patients={one.patient_id for one in chosen})
    except CohortError:
        note = "The cohort table is not where it was, so the images are not found."
    cases = tuple(
        ExplainedCase(
            one.patient_id,
            one.positive,
            one.said,
            certain=one.certain,
            alone=one.alone,
            shown=_show_patient(results, one.patient_id, found, legend),
        )
        for one in chosen
    )
    return ExplainedCases(legend, cases, note)


def patients_to_show(folder: RunFolder, models: Sequence[str]) -> frozenset[str]:
    """Return the patients whom the report will show, of models explained in the folds in turn."""
    predictions = read_results(folder.table("predictions.csv"), PREDICTIONS)
    wanted = _name_of(list(dict.fromkeys(models)))
    said = _first_said(predictions, wanted)
    return frozenset(one.patient_id for one in _choose_patients(said, predictions))


def explained_model(results: StudyResults) -> StudyModel | None:
    """Return the model of predictions.csv whose heatmaps these are; None if it has none of them.

    Where folds chose different models, that is the one that each fold chose.
    """
    if results.explained.legend is None:
        return None
    wanted = _name_of(results.explained.legend.model.split(", "))
    return next((entry for entry in results.entries if entry.name == wanted), None)


def _name_of(models: Sequence[str]) -> str:
    """Return the name in predictions.csv of the model that these are in one fold or another."""
    chosen = SELECTED if all("/" not in name for name in models) else BEST_SINGLE
    return models[0] if len(models) == 1 else chosen


def chosen_cases(results: StudyResults, model: str) -> list[ChosenPatient]:
    """Choose by RULE among patients with maps; equal distances go by identifier.

    Of repeats the first counts: its models are the ones that are explained.
    """
    said = _first_said(results.predictions, model)
    with_maps = {p: what for p, what in said.items() if p in results.explained.maps}
    return _choose_patients(with_maps, results.predictions)


def _first_said(predictions: pd.DataFrame, model: str) -> dict[str, ModelOpinion]:
    return said_by(predictions[predictions["repeat"] == predictions["repeat"].min()], model)


def _choose_patients(
    said: Mapping[str, ModelOpinion], predictions: pd.DataFrame
) -> list[ChosenPatient]:
    labels = predictions.drop_duplicates("patient_id").set_index("patient_id")["label"]
    chosen: list[ChosenPatient] = []
    for positive in (True, False):
        for right in (True, False):
            group = [
                patient
                for patient, what in said.items()
                if bool(labels[patient]) == positive and (what.positive == positive) == right
            ]
            group.sort(key=lambda p: (-abs(said[p].probability - said[p].threshold), p))
            ends = group[:1] + group[1:][-1:]
            chosen += [
                ChosenPatient(p, positive, said[p], certain=place == 0, alone=len(ends) == 1)
                for place, p in enumerate(ends)
            ]
    return chosen


def _show_patient(
    results: StudyResults, patient: str, found: Mapping[str, ImagesOf], legend: Legend
) -> tuple[ExplainedImage, ...]:
    maps = read_heatmaps(results.explained.maps[patient]).maps
    shares = _shares(results, patient)
    return tuple(
        _of_modality(
            modality,
            maps[modality],
            found[patient].files.get(modality, ()) if patient in found else (),
            scale=legend.scale.get(modality, 0.0),
            shares=shares.get(modality, {}),
        )
        for modality in IMAGE_MODALITIES
        if modality in maps
    )


def _of_modality(
    modality: ImageModality,
    heatmap: Heatmap,
    files: tuple[ImageFile, ...],
    *,
    scale: float,
    shares: Mapping[int, float],
) -> ExplainedImage:
    if heatmap.image >= len(files):
        return ExplainedImage(modality, None, "image not found")
    try:
        views = views_of(files[heatmap.image], heatmap, modality=modality, scale=scale)
        tiles = _tiles(files, shares, without=heatmap.image)
    except (UnreadableImage, RoiError):
        return ExplainedImage(modality, None, "image or region cannot be read")
    share = shares.get(heatmap.image, 1 / len(files))
    mean = float(np.mean(heatmap.values))
    return ExplainedImage(modality, views, "", share, images=len(files), tiles=tiles, mean=mean)


def _tiles(
    files: tuple[ImageFile, ...], shares: Mapping[int, float], *, without: int
) -> tuple[BagTile, ...]:
    """Return the images that count most beside the mapped one, if images count differently."""
    others = [image for image in shares if image != without and image < len(files)]
    others.sort(key=lambda image: (-shares[image], image))
    if len({round(share, 6) for share in shares.values()}) < 2:  # noqa: PLR2004
        return ()
    return tuple(BagTile(small(files[image]), shares[image]) for image in others[:_MOST_TILES])


def _shares(results: StudyResults, patient: str) -> dict[str, dict[int, float]]:
    """Return how much each image of a patient counts, by modality; over repeats, the mean."""
    rows = results.explained.images
    rows = rows[(rows["patient_id"] == patient) & rows["share"].notna()]
    means = rows.groupby(["modality", "image"], sort=True)["share"].mean()
    shares: dict[str, dict[int, float]] = {}
    for row in means.reset_index().to_dict("records"):
        shares.setdefault(str(row["modality"]), {})[int(row["image"])] = float(row["share"])
    return shares
