"""One limitation of a study."""

from dataclasses import dataclass
from typing import Literal

Concern = Literal["bias", "precision", "generalisability"]


@dataclass(frozen=True, slots=True)
class Limitation:
    """What it is about, what it puts at risk, and the sentence with its numbers."""

    topic: str
    concern: Concern
    text: str
