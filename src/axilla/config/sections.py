"""The sections of study.toml about what comes in: table, eligibility, slides, readings."""

from pydantic import Field

from axilla.config.section import Code, Names, Section


class CohortSection(Section):
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


class EligibilitySection(Section):
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


class TilesSection(Section):
    """How a whole slide becomes a patient's bag of tiles."""

    um_per_px: float = Field(0.5, gt=0, le=20, description="Resolution of the tiles.")
    per_slide: int = Field(64, ge=1, description="Most tiles taken from one slide.")
    min_tissue: float = Field(0.5, ge=0, le=1, description="Share of a tile that is tissue.")
    microscope: bool = Field(
        default=False,
        description="Cut microscope images whose pathology_mpp is known into such tiles, too.",
    )


class AcceptedFinding(Section):
    """A finding of `axilla check` that somebody has looked at and lets stand."""

    code: str = Field(description="Code of the finding, as docs/findings.md lists them.")
    patients: Names = Field((), description="Whom it is accepted for; default: everybody.")
    reason: str = Field(min_length=3, description="Why; the report prints it.")


class ReaderSection(Section):
    """A human reading in the table, evaluated beside the models."""

    column: str = Field(description="Column of the reading.")
    positive: tuple[Code, ...] = Field(min_length=1, description="Values that mean suspicious.")
    name: str | None = Field(None, description="How the report calls it; default: the column.")
