"""[review] of study.toml: what readers of heatmaps are asked."""

from typing import Annotated

from pydantic import BeforeValidator, Field

from axilla.config.section import Section, as_tuple

Line = Annotated[str, Field(min_length=1, max_length=120, pattern=r"^\S[^\r\n]*$")]
Lines = Annotated[tuple[Line, ...], BeforeValidator(as_tuple)]


class ReviewSection(Section):
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
