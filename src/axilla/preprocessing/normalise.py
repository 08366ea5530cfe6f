"""Turn stored planes into the float input a network was pretrained on."""

import torch

from axilla.preprocessing.harmonise import guide
from axilla.preprocessing.scaling import standardise
from axilla.records.inputs import InputFormat
from axilla.records.types import ImageModality

_ULTRASOUND_PLANES = 2


def network_input(
    planes: torch.Tensor, modality: ImageModality, *, expects: InputFormat, outside_mask: float
) -> torch.Tensor:
    """Turn planes (B, C, S, S), uint8 or float in [0, 255], into a network's input (B, K, S, S).

    Ultrasound: the grey plane, dimmed outside the lesion to `outside_mask`, on three channels;
    a network with a mask channel sees the undimmed grey plane and the mask itself. Channels last
    in memory, as convolutions are fastest.
    """
    scaled = planes.float() / 255
    masks = None
    if modality == "ultrasound":
        grey, masks = scaled[:, :1], scaled[:, 1:_ULTRASOUND_PLANES]
        shown = grey if expects.mask_channel else guide(grey, masks, outside=outside_mask)
        scaled = shown.expand(-1, len(expects.mean), -1, -1)
    normalised = standardise(scaled, means=expects.mean, sds=expects.sd)
    if expects.mask_channel:
        if masks is None:
            masks = torch.ones_like(normalised[:, :1])
        normalised = torch.cat([normalised, masks], dim=1)
    return normalised.contiguous(memory_format=torch.channels_last)
