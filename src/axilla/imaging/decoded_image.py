"""What the door makes of any image file: upright pixels, and what the file says of them."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from axilla.records.errors import Problem
from axilla.records.roi_rectangle import Roi

LUMA = np.array([0.299, 0.587, 0.114], np.float32)
"""Luma (ITU-R BT.601) of red, green, blue: what scanners' grey exports and most decoders use."""


@dataclass(frozen=True, slots=True)
class DecodedImage:
    """RGB pixels (H, W, 3) uint8 of the whole frame, in the coordinates that ROIs are drawn in.

    `region` is the part that the scanner declares as B-mode; pixels outside it are black, since
    they hold the patient's name and the controls. `pixel_mm` is the side of a pixel that the file
    itself declares, if that is plausible. `tags` holds allowed technical values only, never what
    identifies a person. `remarks` are (code, problem) pairs for `axilla check`.
    """

    pixels: NDArray[np.uint8]
    region: Roi | None = None
    pixel_mm: float | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    remarks: tuple[tuple[str, Problem], ...] = ()
