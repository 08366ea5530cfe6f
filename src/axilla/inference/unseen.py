"""Clinical values that no training patient had."""

from collections.abc import Mapping

from axilla.inference.manifest import ModalityManifest
from axilla.inference.prediction_warnings import NEW_LEVEL, OUTSIDE, Caution
from axilla.records.patients import ClinicalValue


def unseen_values(values: Mapping[str, ClinicalValue], part: ModalityManifest) -> list[Caution]:
    """Say which numbers lie outside the range of the training patients, and which levels are new.

    A number is only judged if the bundle knows its range.
    """
    said = []
    for column in part.encoder or ():
        name = str(column["name"])
        value = values.get(name)
        if isinstance(value, str):
            if value not in column.get("levels", ()):
                said.append(Caution(NEW_LEVEL, column=name))
        elif value is not None and name in (part.ranges or {}):
            low, high = (part.ranges or {})[name]
            if not low <= value <= high:
                inside = {"low": f"{low:g}", "high": f"{high:g}"}
                said.append(Caution(OUTSIDE, column=name, value=f"{value:g}", **inside))
    return said
