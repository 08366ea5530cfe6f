"""What a cohort table is read for."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from axilla.config.sections import EligibilitySection, TilesSection
from axilla.config.study import StudyConfig
from axilla.records.roi_rectangle import DrawnRoi
from axilla.records.types import ClinicalKind, Modality


@dataclass(frozen=True, slots=True)
class CohortSchema:
    """The columns to read and what they mean; `None` and empty mean: not wanted.

    `asked_by` is the file that names the columns, as messages call it. `columns` are the table's
    own headers by our names, `values` what its codes mean, by our column. Slides are cut into
    `tiles` of `tile_px` a side, whose places are kept in the folder `plans`; `drawn` are the
    rectangles of rois.csv by `image_key`.
    """

    modalities: tuple[Modality, ...]
    clinical: Mapping[str, ClinicalKind] = field(default_factory=dict)
    outcome: str | None = None
    positive: str = "1"
    group: tuple[str, ...] = ()
    site: str | None = None
    by_site: bool = False
    reader: str | None = None
    reader_positive: tuple[str, ...] = ()
    subgroups: tuple[str, ...] = ()
    bands: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    table1: tuple[str, ...] = ()
    asked_by: str = "study.toml"
    columns: Mapping[str, str] = field(default_factory=dict)
    values: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    eligibility: EligibilitySection | None = None
    tiles: TilesSection = field(default_factory=TilesSection)
    tile_px: int = 224
    drawn: Mapping[str, DrawnRoi] = field(default_factory=dict)
    plans: Path | None = None

    @property
    def attributes(self) -> tuple[str, ...]:
        """Columns that describe patients and enter no model, each once."""
        return tuple(dict.fromkeys((*self.subgroups, *self.table1)))

    def asks_for(self, column: str) -> bool:
        """Tell whether models, tables or eligibility rules use a column."""
        rules = self.eligibility.include.values() if self.eligibility else ()
        word = re.compile(rf"\b{re.escape(column)}\b")
        return (
            column in self.clinical
            or column in self.attributes
            or any(word.search(rule) for rule in rules)
        )


def wanted_by(config: StudyConfig) -> CohortSchema:
    """Return what a study reads: only the modalities that one of its models uses."""
    uses: dict[Modality, bool] = {
        "ultrasound": bool(config.models.ultrasound),
        "pathology": bool(config.models.pathology),
        "clinical": bool(config.models.clinical and config.clinical),
    }
    return CohortSchema(
        modalities=tuple(modality for modality, used in uses.items() if used),
        clinical=config.clinical,
        outcome=config.study.outcome,
        positive=config.study.positive,
        group=config.cohort.group,
        site=config.cohort.site,
        by_site=config.validation.scheme == "site",
        reader=config.reader.column if config.reader else None,
        reader_positive=config.reader.positive if config.reader else (),
        subgroups=config.evaluation.subgroups,
        bands=config.evaluation.bands,
        table1=config.evaluation.table1,
        columns=config.cohort.columns,
        values=config.cohort.values,
        eligibility=config.eligibility,
        tiles=config.tiles,
        tile_px=config.preprocessing.image_size_px,
    )
