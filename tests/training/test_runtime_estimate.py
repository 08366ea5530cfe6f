"""How long a study will take: more of what costs is longer, nothing to time has no answer."""

from dataclasses import replace

import pytest
import torch

from axilla.cohort.cohort_reader import read_cohort
from axilla.config.load import read_study
from axilla.training.runtime_estimate import estimate_seconds


@pytest.fixture(scope="module")
def study(make_study, tmp_path_factory):
    root = make_study(tmp_path_factory.mktemp("expected") / "study")
    return read_study(root / "study.toml"), read_cohort(
        read_study(root / "study.toml"), root
    ).labelled_patients


@pytest.fixture(autouse=True)
def threads():
    count = torch.get_num_threads()
    yield
    torch.set_num_threads(count)


def changed(config, section, **values):
    return config.model_copy(update={section: getattr(config, section).model_copy(update=values)})


def test_more_epochs_more_patients_and_fewer_processes_take_longer(study):
    config, patients = study
    config = changed(config, "models", ultrasound=("plnet",), pathology=("plnet",))
    once = estimate_seconds(config, patients)
    assert once > 0
    longer = changed(config, "training", network_epochs=20_000)
    assert estimate_seconds(longer, patients) > 2 * once
    four = changed(longer, "compute", jobs=4)
    assert estimate_seconds(four, patients) < estimate_seconds(longer, patients)
    more = [
        replace(patient, patient_id=f"{patient.patient_id} {copy}", group=f"{patient.group} {copy}")
        for patient in patients
        for copy in range(4)
    ]
    assert estimate_seconds(longer, more) > 1.5 * estimate_seconds(longer, patients)


def test_joint_training_is_counted(study):
    config, patients = study
    joint = changed(config, "models", fusion_training="joint")
    assert estimate_seconds(joint, patients) > estimate_seconds(config, patients)


def test_images_that_cannot_be_read_and_patients_who_cannot_be_split_give_no_answer(
    study, tmp_path
):
    config, patients = study
    lost = [
        replace(
            patient,
            ultrasound=tuple(replace(f, path=tmp_path / "none.jpg") for f in patient.ultrasound),
            pathology=(),
        )
        for patient in patients
    ]
    assert estimate_seconds(config, lost) is None
    assert estimate_seconds(config, patients[:2]) is None
