"""Errors a user can cause; each says where, what was found, what was expected and what to do."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with the user's input."""

    place: str
    found: str
    expected: str
    remedy: str = ""

    def __str__(self) -> str:
        sentence = f"{self.place}: found {self.found}; expected {self.expected}."
        return f"{sentence} {self.remedy}".rstrip()


class AxillaError(Exception):
    """Base of all errors that a user can cause and mend; `exit_code` is the command line's."""

    exit_code = 1

    def __init__(self, problems: str | Problem | Sequence[Problem]) -> None:
        """Hold a message, one problem, or every problem of a table at once."""
        if isinstance(problems, str):
            self.problems: tuple[Problem, ...] = ()
            super().__init__(problems)
            return
        self.problems = (problems,) if isinstance(problems, Problem) else tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


class ConfigError(AxillaError):
    """study.toml, a preset or a command-line option cannot be used as it stands."""

    exit_code = 2


class CohortError(AxillaError):
    """The cohort table, or a file it points to, cannot be used as it stands."""


class UnreadableImage(AxillaError):  # noqa: N818 - reads as what it is
    """An image file is missing, truncated, or of a kind that axilla does not read."""


class RoiError(AxillaError):
    """A region of interest leaves its image or has no area."""


class LeakageError(AxillaError):
    """A patient or group would stand on both sides of a split."""


class WeightsError(AxillaError):
    """Pretrained weights are missing or do not fit their network."""


class BundleError(AxillaError):
    """A bundle cannot be read, or cannot predict this case."""


class StudyError(AxillaError):
    """A study folder lacks what the command needs, or its results do not belong together."""
