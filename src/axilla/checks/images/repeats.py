"""Images that occur more than once: in patients who must not know of each other, or in one."""

from collections import defaultdict
from collections.abc import Iterator, Sequence

import numpy as np

from axilla.checks.images.duplicates import MIRRORED, TURNED, Ties, find_copies
from axilla.checks.images.image_checks import finding, is_blank
from axilla.checks.images.look import Look
from axilla.records.findings import Finding

_NAMED = 4
_TURNS = {"ultrasound": MIRRORED, "pathology": TURNED}


def judge_repeats(looks: Sequence[Look]) -> Iterator[Finding]:
    """Yield one finding per set of images that show the same.

    Files of the same bytes are the same; of the others, those that `find_copies` ties together.
    An error if the patients are of different groups: the image may train and test one model.
    """
    tied = Ties(len(looks))
    once: dict[object, int] = {}
    for position, look in enumerate(looks):
        tied.tie(once.setdefault((look.digest, look.file.frame), position), position)
    for modality, turns in _TURNS.items():
        mine = [
            position
            for position in once.values()
            if looks[position].modality == modality and not is_blank(looks[position])
        ]
        if len(mine) > 1:
            thumbnails = np.stack([looks[position].measures.thumbnail for position in mine])
            for pair in find_copies(thumbnails, turns=turns):
                tied.tie(mine[pair.first], mine[pair.second])
    sets = defaultdict(list)
    for position, look in enumerate(looks):
        sets[tied.root(position)].append(look)
    for alike in sets.values():
        if len(alike) > 1:
            yield _repeat(alike)


def _repeat(alike: Sequence[Look]) -> Finding:
    groups = {look.group for look in alike}
    patients = tuple(dict.fromkeys(look.patient_id for look in alike))
    outcomes = {look.label for look in alike if look.label is not None}
    found = f"the same picture as {_named(alike[1:])}"
    if len(outcomes) > 1:
        found += ", with different outcomes"
    about = finding(
        alike[0],
        "image_duplicate" if len(groups) > 1 else "image_repeated",
        found,
        expected="an image of its own for every patient"
        if len(patients) > 1
        else "different images of a patient",
        remedy="Find out whose image it is and remove the others; if it is one person, make it "
        "one row or one group."
        if len(groups) > 1
        else "Remove all but one, if they add nothing.",
        severity="error" if len(groups) > 1 else "warning",
    )
    return Finding(about.code, about.severity, about.problem, patients)


def _named(others: Sequence[Look]) -> str:
    named = [f"{look.cell.text!r} of {look.patient_id}" for look in others[:_NAMED]]
    more = len(others) - _NAMED
    return ", ".join([*named, f"and {more} more"] if more > 0 else named)
