"""What readers are asked of each image."""

from collections.abc import Mapping

from axilla.config.sections import ReviewSection
from axilla.records.errors import ConfigError, Problem
from axilla.records.types import IMAGE_MODALITIES, ImageModality

Criteria = Mapping[ImageModality, tuple[str, ...]]


def criteria_of(review: ReviewSection) -> dict[ImageModality, tuple[str, ...]]:
    """Return the criteria by modality, without modalities that are not shown.

    Raises `ConfigError` if none is left, or if a criterion stands twice in one modality.
    """
    asked: dict[ImageModality, tuple[str, ...]] = {
        "ultrasound": review.ultrasound,
        "pathology": review.pathology,
    }
    problems = [
        Problem(
            f"study.toml, review.{modality}",
            f"{text!r} more than once",
            "each criterion once",
            "Remove or reword one of them.",
        )
        for modality in IMAGE_MODALITIES
        for text in dict.fromkeys(asked[modality])
        if sum(fold_text(text) == fold_text(other) for other in asked[modality]) > 1
    ]
    shown = {modality: texts for modality, texts in asked.items() if texts}
    if not shown:
        expected = "a criterion of at least one modality"
        problems.append(Problem("study.toml, review", "no criteria", expected))
    if problems:
        raise ConfigError(problems)
    return shown


def fold_text(text: str) -> str:
    """Return a text as comparisons see it: letter case and blanks do not count."""
    return " ".join(text.casefold().split())
