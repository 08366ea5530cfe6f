"""Sections of study.toml: cohort table, eligibility, slides, ROIs, and the reader study."""

from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

Line = Annotated[str, Field(min_length=1, max_length=120, pattern=r"^\S[^\r\n]*$")]


def as_text(value: object) -> object:
    """Codes are compared as the table prints them: 1, "1" and 1.0 are one code, true is "1"."""
    if isinstance(value, bool):
        return str(int(value))
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value) if isinstance(value, int | float) else value


def as_tuple(value: object) -> object:
    """One value may stand without the brackets of a list."""
    return (value,) if isinstance(value, str) else value


Code = Annotated[str, BeforeValidator(as_text)]
Names = Annotated[tuple[str, ...], BeforeValidator(as_tuple)]


class ConfigSection(BaseModel):
    """A frozen part of study.toml that refuses keys it does not know."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class CohortSection(ConfigSection):
    """Where the patients are listed and what ties them together."""

    table: str = Field("cohort.csv", description="CSV or Excel file, relative to study.toml.")
    group: Names = Field((), description="Columns whose equal values must stay in one fold.")
    site: str | None = Field(None, description="Column of the hospital or data source.")
    rois: str = Field(
        "rois.csv",
        description="Rectangles drawn or imported for images of the table, relative to "
        "study.toml; used where the file exists.",
    )
    columns: dict[str, str] = Field(
        default_factory=dict,
        description="axilla's column = the table's own header, as age = '年龄'.",
    )
    values: dict[str, dict[Code, str]] = Field(
        default_factory=dict,
        description="Per column, the table's own code = what it means, as "
        "her2 = { 阳性 = 'positive' }.",
    )


class EligibilitySection(ConfigSection):
    """Who belongs to the study; the excluded are counted with their reason and not used."""

    paper: bool = Field(
        default=True,
        description="Apply the paper's exclusion criteria whose columns the table has.",
    )
    surgery_days: tuple[int, int] = Field(
        (7, 14), description="Days from biopsy to surgery, fewest and most (paper: 1 to 2 weeks)."
    )
    include: dict[str, str] = Field(
        default_factory=dict,
        description="Reason for exclusion = a rule that those who stay fulfil, as "
        "'under 18' = 'age >= 18'.",
    )


class TilesSection(ConfigSection):
    """How a whole slide becomes a patient's bag of tiles."""

    um_per_px: float = Field(0.5, gt=0, le=20, description="Resolution of the tiles.")
    per_slide: int = Field(64, ge=1, description="Most tiles taken from one slide.")
    min_tissue: float = Field(0.5, ge=0, le=1, description="Share of a tile that is tissue.")
    microscope: bool = Field(
        default=False,
        description="Cut microscope images whose pathology_mpp is known into such tiles, too.",
    )


class AcceptedFinding(ConfigSection):
    """A finding of `axilla check` that somebody has looked at and lets stand."""

    code: str = Field(description="Code of the finding, as docs/findings.md lists them.")
    patients: Names = Field((), description="Whom it is accepted for; default: everybody.")
    reason: str = Field(min_length=3, description="Why; the report prints it.")


class ReaderSection(ConfigSection):
    """A human reading in the table, evaluated beside the models."""

    column: str = Field(description="Column of the reading.")
    positive: tuple[Code, ...] = Field(min_length=1, description="Values that mean suspicious.")
    name: str | None = Field(None, description="How the report calls it; default: the column.")


Lines = Annotated[tuple[Line, ...], BeforeValidator(as_tuple)]


class ReviewSection(ConfigSection):
    """The blinded reader study: criteria per modality, and how many decoy maps."""

    ultrasound: Lines = Field(
        ("tumour boundary", "low-echo area"),
        description="What readers look for in ultrasound; none = do not show it.",
    )
    pathology: Lines = Field(
        (
            "invasive nests with irregular infiltrative border",
            "desmoplastic stroma",
            "dense collagen",
            "lymphatic tumour emboli",
            "peritumoural fibroblasts",
        ),
        description="What readers look for in pathology; none = do not show it.",
    )
    decoy_share: float = Field(
        0.25,
        ge=0,
        le=0.5,
        description="Share of the cases that appear once more, with the map of a model whose "
        "weights are shuffled.",
    )
