"""What the API says of drawings, and takes."""

import re
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, BaseModel, Field

from axilla.records.errors import Problem
from axilla.records.roi_rectangle import Roi
from axilla.web.core.http_errors import InvalidError
from axilla.web.rois.roi_review_store import Choice
from axilla.web.rois.roi_store import Content, State

_MOST_PX: Final = 200_000
# NUL and lone surrogates, which no database takes, and what no keyboard types.
_UNWRITABLE: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff]")
Side = Annotated[int, Field(ge=1, le=_MOST_PX)]
Place = Annotated[int, Field(ge=0, le=_MOST_PX)]
Version = Annotated[int, Field(ge=0, le=2**31 - 2)]


def _writable(text: str) -> str:
    if _UNWRITABLE.search(text):
        message = "has signs that cannot be kept"
        raise ValueError(message)
    return text


Comment = Annotated[str, Field(max_length=2000), AfterValidator(_writable)]


class Rect(BaseModel, extra="forbid"):
    """A rectangle in px of the whole image."""

    left: Place
    top: Place
    width: Side
    height: Side


class RoiAnswer(BaseModel, from_attributes=True):
    """A drawing: `roi` or `absent`, who drew, who looked at it, and what stands accepted."""

    version: int
    state: State
    roi: Rect | None
    absent: bool
    comment: str
    annotator: str
    saved_at: float
    reviewer: str | None
    decision: str | None
    review_roi: Rect | None
    review_absent: bool
    review_comment: str
    iou: float | None
    reviewed_at: float | None
    settler: str | None
    standing: Rect | None
    standing_absent: bool


class WorklistItem(BaseModel):
    """An image of the worklist; `part` of `parts` images of its patient; `own` if you drew it."""

    image: str
    patient_id: str
    part: int
    parts: int
    state: State
    version: int
    annotator: str | None
    reviewer: str | None
    iou: float | None
    own: bool


class Items(BaseModel):
    """The worklist in the table's order, and how many images are in each state."""

    items: list[WorklistItem]
    counts: dict[State, int]


class Suggested(BaseModel):
    """A rectangle that the study has from elsewhere."""

    roi: Rect
    source: str


class Detail(BaseModel):
    """An image, its size, and its drawing if there is one."""

    item: WorklistItem
    width: int
    height: int
    pixel_mm: float | None
    drawing: RoiAnswer | None
    suggestion: Suggested | None


class Stated(BaseModel, extra="forbid"):
    """The version that you saw; 0 for no drawing yet."""

    version: Version


class RoiContent(Stated):
    """A rectangle, or none: there is no lesion to draw, and why."""

    roi: Rect | None = None
    absent: bool = False
    comment: Comment = ""


class Review(RoiContent):
    """What the second reader says; `roi` and `absent` belong to redraw."""

    verdict: Literal["accept", "redraw"]


class Settlement(RoiContent):
    """Which drawing counts; `roi` and `absent` belong to drawn."""

    choice: Choice


class Reviewed(BaseModel):
    """The drawing, and what became of the study's files.

    `filed` tells that rois.csv has what was accepted; `note` says why not. `mask_dropped` tells
    that the mask of this image does not fit its new rectangle and is not used any more.
    """

    drawing: RoiAnswer
    filed: bool
    mask_dropped: bool
    note: str


class Revision(BaseModel):
    """One change; `before` and `after` are JSON."""

    version: int
    at: float
    who: str
    action: str
    before: str
    after: str


class Number(BaseModel):
    """A number with its 95 % interval, None where the data allow none."""

    key: str
    value: float | None
    low: float | None
    high: float | None
    n: int
    unit: str
    method: str


class Agreement(BaseModel):
    """How far second readers agree with first readers, over `images` judged by two."""

    images: int
    numbers: list[Number]


def content_of(drawn: RoiContent) -> Content:
    """Return what somebody drew; raise `InvalidError` unless it is one of both."""
    if (drawn.roi is None) != drawn.absent:
        found = "both a rectangle and none" if drawn.absent else "neither a rectangle nor absent"
        raise InvalidError(Problem("drawing", found, "roi, or absent = true"))
    if drawn.roi is None:
        return Content(None, drawn.comment)
    roi = drawn.roi
    return Content(Roi(roi.left, roi.top, roi.width, roi.height), drawn.comment)
