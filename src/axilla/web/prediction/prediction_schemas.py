"""What the API says of a bundle and of a prediction."""

from base64 import b64encode
from typing import Any, Literal

from pydantic import BaseModel

from axilla.inference.case_io import RiskLevel, risk_level
from axilla.inference.manifest import Manifest, Performance
from axilla.web.prediction.bundle_info import BundleInfo
from axilla.web.prediction.worker.worker_process import Message


class BundleModality(BaseModel):
    """One modality of a bundle; `reference_patients` are those that cases are compared with."""

    modality: str
    model: str
    backbone: str | None
    pooling: str
    reference_patients: int | None


class ClinicalColumn(BaseModel):
    """A clinical column: a number with the range seen in training, or a choice of levels."""

    name: str
    kind: Literal["number", "category"]
    levels: list[str] = []
    low: float | None = None
    high: float | None = None


class BundleTold(BaseModel):
    """What a bundle says of itself, and the digest of its file."""

    name: str
    digest: str
    axilla_version: str
    study: str
    outcome: str
    positive: str
    model: str
    modalities: list[BundleModality]
    clinical: list[ClinicalColumn]
    threshold: float
    threshold_rule: str
    recalibration: str
    patients: int
    positives: int
    masks_in_training: bool
    performance: list[Performance]
    performance_note: str
    notice: str


class Risk(BaseModel):
    """The probability in words: of 100 such patients about `per_100` would be positive.

    `training_per_100` of the training patients were.
    """

    level: RiskLevel
    per_100: int
    training_per_100: int
    recalibration: str


class Familiar(BaseModel):
    """How far the case lies from the training patients.

    `p` is the share of them that lies at least as far, the case counted with them.
    """

    squared_distance: float
    p: float
    patients: int
    unfamiliar: bool


class Share(BaseModel):
    """How much one image of several, or one tile, counts in its modality."""

    image: str
    tile: list[int] | None
    share: float


class HeatmapImage(BaseModel):
    """An image and its signed map, to be laid over it: PNG in base64.

    `box_percent` is where the map lies: left, top, width, height in percent of the image. Colour
    is full at `scale`, which all maps of the study share if `scale_shared`.
    """

    modality: str
    image: str
    method: str
    scale: float
    scale_shared: bool
    share: float
    width_px: int
    height_px: int
    box_percent: list[float]
    image_png: str = ""
    map_png: str = ""


class CautionParts(BaseModel):
    """What a warning is made of, so that it can be said in another language."""

    template: str
    values: dict[str, str]


class PredictionAnswer(BaseModel):
    """What the bundle says of one case; `key` saves it for as long as the server knows it.

    `cautions` are the warnings again, one for one.
    """

    key: str = ""
    made_at: float
    notice: str
    axilla_version: str
    digest: str
    study: str
    outcome: str
    positive: str
    model: str
    probability: float
    threshold: float
    threshold_rule: str
    call: Literal["positive", "negative"]
    risk: Risk
    used: list[str]
    by_modality: dict[str, float]
    warnings: list[str]
    cautions: list[CautionParts] = []
    familiarity: dict[str, Familiar]
    not_measured: list[str]
    attention: dict[str, list[Share]]
    heatmaps: list[HeatmapImage]
    performance: list[Performance]
    performance_note: str


def bundle_told(known: BundleInfo, *, name: str) -> BundleTold:
    """Return what a bundle says of itself."""
    manifest = known.manifest
    told = manifest.model_dump(include=set(BundleTold.model_fields) - {"modalities", "clinical"})
    told["recalibration"] = manifest.recalibrated_by
    return BundleTold(
        **told,
        name=name,
        digest=known.digest,
        modalities=[
            BundleModality.model_validate(part, from_attributes=True)
            for part in manifest.modalities
        ],
        clinical=_columns(manifest),
    )


def prediction_told(answer: Message, *, key: str, made_at: float) -> PredictionAnswer:
    """Return a worker's answer as the API gives it, its pictures in base64."""
    content = result_of(answer, made_at=made_at)
    pictures = [b64encode(blob).decode() for blob in answer.blobs]
    return PredictionAnswer(**with_pictures(content, pictures), key=key)


def result_of(answer: Message, *, made_at: float) -> dict[str, Any]:
    """Return a worker's answer without its pictures, as it is saved."""
    content = dict(answer.content)
    patients, positives = content.pop("patients"), content.pop("positives")
    probability = content["probability"]
    risk = {
        "level": risk_level(probability),
        "per_100": round(100 * probability),
        "training_per_100": round(100 * positives / max(1, patients)),
        "recalibration": content.pop("recalibration"),
    }
    missing = [one for one in content["used"] if one not in content["familiarity"]]
    return content | {"made_at": made_at, "risk": risk, "not_measured": missing}


def with_pictures(content: dict[str, Any], pictures: list[str]) -> dict[str, Any]:
    """Return a result whose heatmaps hold their two pictures each."""
    heatmaps = [
        heatmap | {"image_png": pictures[2 * place], "map_png": pictures[2 * place + 1]}
        for place, heatmap in enumerate(content["heatmaps"])
    ]
    return content | {"heatmaps": heatmaps}


def _columns(manifest: Manifest) -> list[ClinicalColumn]:
    found = []
    for part in manifest.modalities:
        for column in part.encoder or ():
            low, high = (part.ranges or {}).get(column["name"], (None, None))
            found.append(
                ClinicalColumn(
                    name=column["name"],
                    kind=column["kind"],
                    levels=list(column.get("levels", ())),
                    low=low,
                    high=high,
                )
            )
    return found
