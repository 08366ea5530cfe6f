"""The trivial baseline: what colour, brightness and size alone tell, for networks to beat."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from axilla.annotation.boxes import roi_from_mask
from axilla.imaging.decoded_image import Picture
from axilla.imaging.open_image import open_picture
from axilla.imaging.raster import decode_mask
from axilla.records.digests import digest_of
from axilla.records.patients import ImageFile, Patient
from axilla.records.progress import Progress
from axilla.records.roi_rectangle import Roi
from axilla.records.types import ImageModality
from axilla.training.data.pixels import Pixels, per_patient
from axilla.training.engine.cache_files import is_whole_array, write_array


def trivial_features(
    patients: Sequence[Patient], pixels: Pixels, *, cache: Path, progress: Progress
) -> torch.Tensor:
    """Return (N, K) features of one modality, bags averaged, NaN for no image.

    Pathology: mean and sd of red, green and blue. Ultrasound: width and height of the image,
    mean and sd of its brightness, and the ROI's place, size and shape.
    """
    path = cache / "trivial" / f"{digest_of('trivial', 1, pixels.digest)}.npy"
    if not is_whole_array(path):
        files = [file for patient in patients for file in patient.images(pixels.modality)]
        rows = []
        with progress.task(f"Measuring {pixels.modality}", total=len(files)) as advance:
            for file in files:
                rows.append(_measure(file, pixels.modality))
                advance(1)
        measured = np.array(rows, dtype=np.float32)
        write_array(path, [measured], shape=measured.shape, dtype=np.float32)
    images = torch.from_numpy(np.load(path))
    return per_patient(images, pixels.owner, patients=pixels.patients)


def _measure(file: ImageFile, modality: ImageModality) -> list[float]:
    picture = open_picture(file)
    image = picture.pixels
    if modality == "pathology":
        return [*image.mean((0, 1)), *image.std((0, 1))]
    box = _box(file, picture)
    height, width = image.shape[:2]
    return [
        width,
        height,
        image.mean(),
        image.std(),
        box.left_px / width,
        box.top_px / height,
        box.width_px,
        box.height_px,
        box.width_px / box.height_px,
    ]


def _box(file: ImageFile, picture: Picture) -> Roi:
    if file.roi is not None:
        return file.roi
    if file.mask is not None:
        return roi_from_mask(decode_mask(file.mask))
    return picture.region or Roi(0, 0, picture.pixels.shape[1], picture.pixels.shape[0])
