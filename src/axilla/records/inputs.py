"""What a network expects of its input, so that preparing and building can agree on it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class InputFormat:
    """Per-channel mean and sd of inputs scaled to [0, 1], and whether a mask channel follows."""

    mean: tuple[float, float, float]
    sd: tuple[float, float, float]
    mask_channel: bool = False

    @property
    def channels(self) -> int:
        """Number of input channels."""
        return len(self.mean) + self.mask_channel


IMAGENET = InputFormat(mean=(0.485, 0.456, 0.406), sd=(0.229, 0.224, 0.225))
HALVES = InputFormat(mean=(0.5, 0.5, 0.5), sd=(0.5, 0.5, 0.5))
