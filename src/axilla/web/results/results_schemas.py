"""What the API tells of results."""

from typing import Annotated, Literal

from pydantic import BaseModel, Field

from axilla.records.progress import StageProgress, Task
from axilla.records.types import ImageModality

Cell = Literal["tp", "fp", "fn", "tn"]
PictureKind = Literal["thumbnail", "image", "heatmap"]
ResultsState = Literal["none", "writing", "damaged", "ready"]


class Estimated(BaseModel):
    """An estimate with its 95 % interval; null where there is none."""

    value: float | None
    low: float | None
    high: float | None
    method: str


class ModelRow(BaseModel):
    """A model or reader with all its metrics, by their names in metrics.csv."""

    model: str
    label: str
    family: str
    family_title: str
    reader: bool
    trivial: bool
    chosen: bool
    n: int
    n_positive: int
    metrics: dict[str, Estimated]


class Metrics(BaseModel):
    """Every model in the report's order; `leading` are those the study's question is about."""

    models: list[ModelRow]
    leading: list[str]
    headline: str | None


class RocPoint(BaseModel):
    """A point of a ROC curve: who has at least `threshold` is called positive.

    `threshold` is null where the point belongs to none: at the origin, and over several repeats.
    """

    false_positive_rate: float
    sensitivity: float
    threshold: float | None


class BinPoint(BaseModel):
    """A tenth of the predictions: their mean, and the share with the outcome."""

    bin: int
    predicted: float
    observed: float
    low: float | None
    high: float | None
    n: float


class SmoothPoint(BaseModel):
    """A point of the smooth calibration curve."""

    predicted: float
    observed: float
    low: float | None
    high: float | None


class DecisionPoint(BaseModel):
    """Net benefit at a threshold probability, beside that of treating everybody."""

    threshold: float
    net_benefit: float
    low: float | None
    high: float | None
    treat_all: float


class FoldOperatingPoint(BaseModel):
    """Sensitivity and specificity with each fold's own threshold."""

    sensitivity: float | None
    specificity: float | None


class ModelCurves(BaseModel):
    """Everything that is drawn of one model; a curve that the study has not is empty."""

    model: str
    label: str
    n: int
    n_positive: int
    repeats: int
    roc: list[RocPoint]
    operating: FoldOperatingPoint
    bins: list[BinPoint]
    smooth: list[SmoothPoint]
    slope: Estimated | None
    intercept: Estimated | None
    decision: list[DecisionPoint]


class CaseSelection(BaseModel, extra="forbid"):
    """Which cases: called at `threshold` or each at its own fold's, of one `bin`, of one cell."""

    model: Annotated[str, Field(min_length=1, max_length=200)]
    threshold: Annotated[float | None, Field(ge=0, le=1, allow_inf_nan=False)] = None
    bin: Annotated[int | None, Field(ge=0, le=1000)] = None
    cell: Cell | Literal["all"] = "all"
    offset: Annotated[int, Field(ge=0, le=10**7)] = 0
    most: Annotated[int, Field(ge=1, le=500)] = 200


class CaseRow(BaseModel):
    """A patient as one model sees them, averaged over repeats."""

    patient_id: str
    positive: bool
    probability: float
    threshold: float
    called: bool
    cell: Cell


class Cases(BaseModel):
    """The cases that were asked for, the highest probability first, of `total`."""

    total: int
    counts: dict[Cell, int]
    modalities: list[ImageModality]
    cases: list[CaseRow]


class ModelProbability(BaseModel):
    """What a model or reader said of one patient."""

    model: str
    label: str
    family_title: str
    reader: bool
    probability: float
    threshold: float
    called: bool


class Pictured(BaseModel):
    """An image of a patient: how many there are, and whether there is a heatmap."""

    modality: ImageModality
    images: int
    heatmap: bool


class CaseDetail(BaseModel):
    """One patient: the truth, what everybody said, and the images."""

    patient_id: str
    positive: bool
    said: list[ModelProbability]
    pictures: list[Pictured]


class ErrorCase(BaseModel):
    """A confident error, and what the single modalities and readers said."""

    patient_id: str
    probability: float
    threshold: float
    others: list[ModelProbability]


class ErrorKind(BaseModel):
    """The most confident errors of one kind, of `of`."""

    cell: Cell
    of: int
    cases: list[ErrorCase]


class FailureList(BaseModel):
    """The failures of one model."""

    model: str
    label: str
    modalities: list[ImageModality]
    kinds: list[ErrorKind]


class FlowStep(BaseModel, from_attributes=True):
    """A line of the inclusion flow."""

    label: str
    count: int
    positive: int | None
    negative: int | None
    part: bool


class Overview(BaseModel):
    """What there is, and what it comes to; without results, `state` and `message` say why."""

    state: ResultsState
    message: str = ""
    name: str = ""
    outcome: str = ""
    patients: int = 0
    n_positive: int = 0
    lead: str = ""
    more: list[str] = []
    caveats: list[str] = []
    flow: list[FlowStep] = []
    figures: list[str] = []
    files: list[str] = []
    finished: str = ""
    version: str = ""
    seed: int | None = None
    cohort_digest: str = ""


class RunState(BaseModel):
    """How far the last run is; `seconds` since it began, `left_s` of its present task."""

    state: Literal["none", "running", "finished", "failed", "stopped", "lost"]
    message: str = ""
    seconds: float = 0
    left_s: float | None = None
    stage: StageProgress | None = None
    task: Task | None = None
    stages: list[StageProgress] = []
    planned: list[str] = []
