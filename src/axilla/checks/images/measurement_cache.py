"""What was seen of each image, kept between runs by the bytes of its file."""

import json
import zipfile
from dataclasses import fields
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from axilla.checks.images.burned_in_text import TextLine
from axilla.checks.images.inspected_image import VERSION, MaskStats, Measures
from axilla.records.errors import Problem
from axilla.records.roi_rectangle import Roi
from axilla.records.run_folder import atomic

_FILE = "looks.npz"
_DAMAGED = (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile)

Record = dict[str, Any]


class MeasurementCache:
    """One file below the cache: records as JSON and their thumbnails, no pickle.

    What this run asks for is kept for the next; the rest is dropped. A file that is damaged or of
    another version is as good as none. Threads may ask and keep at the same time.
    """

    def __init__(
        self, path: Path | None, records: dict[str, Record], thumbnails: NDArray[np.uint8]
    ) -> None:
        """Hold what an earlier run kept, by key."""
        self._path = path
        self._old = records
        self._old_thumbnails = thumbnails
        self._new: dict[str, Measures | MaskStats] = {}
        self._changed = False

    @classmethod
    def open(cls, cache: Path | None) -> Self:
        """Read what is kept below `cache`; None keeps nothing."""
        path = cache / "looks" / _FILE if cache else None
        nothing = np.zeros((0, 0, 0), np.uint8)
        if path is None or not path.is_file():
            return cls(path, {}, nothing)
        try:
            with np.load(path, allow_pickle=False) as content:
                about = json.loads(content["records"].tobytes())
                if about["version"] == VERSION:
                    return cls(path, about["records"], content["thumbnails"])
        except _DAMAGED:
            pass
        return cls(path, {}, nothing)

    def measures(self, key: str) -> Measures | None:
        """Return what was seen of an image, or None if that is not known."""
        record = self._old.get(key)
        if record is None:
            return None
        seen = _measures(record, self._old_thumbnails)
        self._new[key] = seen
        return seen

    def get_mask_stats(self, key: str) -> MaskStats | None:
        """Return what a mask marks, or None if that is not known."""
        record = self._old.get(key)
        if record is None:
            return None
        seen = MaskStats(Roi(*record["box"]), record["share"])
        self._new[key] = seen
        return seen

    def keep(self, key: str, seen: Measures | MaskStats) -> None:
        """Remember what was seen; `write` writes it."""
        if key not in self._new:
            self._new[key] = seen
            self._changed = True

    def write(self) -> None:
        """Write what this run asked for, if that is more than was kept already."""
        if self._path is None or not self._changed:
            return
        records: dict[str, Record] = {}
        thumbnails: list[NDArray[np.uint8]] = []
        for key, seen in self._new.items():
            if isinstance(seen, MaskStats):
                records[key] = {"box": _rectangle(seen.box), "share": seen.share}
            else:
                records[key] = _record(seen, number=len(thumbnails))
                thumbnails.append(seen.thumbnail)
        text = json.dumps({"version": VERSION, "records": records}).encode()
        with atomic(self._path) as temporary:
            np.savez(
                temporary,
                records=np.frombuffer(text, np.uint8),
                thumbnails=np.stack(thumbnails) if thumbnails else np.zeros((0, 0, 0), np.uint8),
            )


def _rectangle(box: Roi) -> list[int]:
    return list(box.sides)


def _record(seen: Measures, *, number: int) -> Record:
    record = {field.name: getattr(seen, field.name) for field in fields(seen)}
    remarks = [
        [code, problem.place, problem.found, problem.expected, problem.remedy]
        for code, problem in seen.remarks
    ]
    lines = [[*_rectangle(line.box), line.letters] for line in seen.lines]
    return record | {"thumbnail": number, "remarks": remarks, "lines": lines}


def _measures(record: Record, thumbnails: NDArray[np.uint8]) -> Measures:
    remarks = tuple((code, Problem(*words)) for code, *words in record["remarks"])
    lines = tuple(TextLine(Roi(*box), letters) for *box, letters in record["lines"])
    thumbnail = thumbnails[record["thumbnail"]]
    return Measures(**record | {"thumbnail": thumbnail, "remarks": remarks, "lines": lines})
