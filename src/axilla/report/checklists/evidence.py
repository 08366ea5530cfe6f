"""What a study shows for an item of a checklist, and where it shows it."""

from collections.abc import Callable
from dataclasses import dataclass

from axilla.report.study_results import StudyResults


@dataclass(frozen=True, slots=True)
class Evidence:
    """A sentence, and where it is borne out: `#anchor` of the report, or a file in results/.

    Places that a study does not have are left out when the checklist is filled.
    """

    text: str
    places: tuple[str, ...] = ()


Finder = Callable[[StudyResults], Evidence | None]
"""Returns the evidence for one question, or None where the study has none."""


def method_anchor(topic: str) -> str:
    """Return the anchor of a part of the methods."""
    return f"methods-{topic.lower().replace(' ', '-')}"


def method_place(topic: str) -> str:
    """Return the place of a part of the methods."""
    return f"#{method_anchor(topic)}"
