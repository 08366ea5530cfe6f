"""An estimate never travels without its interval, its sample and its method."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Estimate:
    """A number with its 95 % interval; NaN bounds mean that the data allow none."""

    value: float
    low: float
    high: float
    n: int
    n_positive: int
    method: str

    def __str__(self) -> str:
        return f"{self.value:.3f} ({self.low:.3f} to {self.high:.3f})"
