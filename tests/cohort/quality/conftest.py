"""Builds looks of sample images, clean or spoiled, for the tests of quality and duplicates."""

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import axilla
from axilla.checks.images.inspection import inspect_images
from axilla.cohort.image_columns import Listed
from axilla.cohort.values.cells import Cell
from axilla.imaging.decoded_image import DecodedImage
from axilla.imaging.raster import decode
from axilla.records.patients import ImageFile, Patient
from axilla.records.progress import Silent
from axilla.records.roi_rectangle import Roi

SAMPLE = Path(axilla.__file__).parent / "sample"


def sample_rows():
    with (SAMPLE / "cohort.csv").open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def open_plain(file):
    return DecodedImage(decode(file.path))


class Cases:
    """Patients of the sample, whose images and annotations a test replaces."""

    def __init__(self, rows, folder):
        self.folder = folder
        self.patients, self.listed = [], []
        for row in rows:
            roi = Roi(*(int(row[f"roi_{side}"]) for side in ("left", "top", "width", "height")))
            self.add(
                row["patient_id"],
                row["pathology_donor"],
                label=int(row["malignant"]),
                ultrasound=ImageFile(
                    SAMPLE / row["ultrasound"],
                    roi=roi,
                    mask=SAMPLE / row["ultrasound_mask"],
                    pixel_mm=float(row["ultrasound_pixel_mm"] or 0) or None,
                ),
                pathology=ImageFile(SAMPLE / row["pathology"]),
            )

    def add(self, patient_id, group, *, label=0, ultrasound=None, pathology=None):
        images = {"ultrasound": ultrasound, "pathology": pathology}
        bags = {m: (file,) if file else () for m, file in images.items()}
        self.patients.append(Patient(patient_id, label, group, **bags))

    def patient(self, patient_id):
        return next(p for p in self.patients if p.patient_id == patient_id)

    def change(self, patient_id, modality="ultrasound", **about):
        """Replace fields of the patient's image; a picture is saved to a file first."""
        for name in ("path", "mask"):
            if isinstance(about.get(name), np.ndarray | Image.Image):
                about[name] = self.save(about[name], f"{patient_id}_{modality}_{name}.png")
        old = self.patient(patient_id)
        images = tuple(replace(file, **about) for file in old.images(modality))
        self.patients[self.patients.index(old)] = replace(old, **{modality: images})
        return self

    def save(self, image, name, **options):
        image = image if isinstance(image, Image.Image) else Image.fromarray(image)
        image.save(self.folder / name, **options)
        return self.folder / name

    def pixels(self, patient_id, modality="ultrasound"):
        return decode(self.patient(patient_id).images(modality)[0].path)

    def inspect(self, *, open_picture=open_plain, progress=None, cache=None):
        listed = [entry for n, p in enumerate(self.patients) for entry in _listed(p, n + 2)]
        return inspect_images(
            self.patients,
            listed,
            open_picture=open_picture,
            progress=progress or Silent(),
            cache=cache,
        )


def _listed(patient, row):
    for modality in ("ultrasound", "pathology"):
        for file in patient.images(modality):
            for path, column, kind in (
                (file.path, modality, "image"),
                (file.mask, "ultrasound_mask", "mask"),
            ):
                if path:
                    cell = Cell(
                        path.name,
                        column,
                        row=row,
                        table="cohort.csv",
                        patient_id=patient.patient_id,
                    )
                    yield Listed(path, cell, kind)


@pytest.fixture
def sample_cases(tmp_path):
    """Return a function that takes the first patients of the sample, or all of them."""
    return lambda count=None: Cases(sample_rows()[:count], tmp_path)


@pytest.fixture(scope="module")
def clean(tmp_path_factory):
    """Return what there is to say about the whole sample, as it is."""
    return Cases(sample_rows(), tmp_path_factory.mktemp("clean")).inspect()


@pytest.fixture
def open_sample():
    return open_plain
