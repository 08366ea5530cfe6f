"""The key of a reader study: which code is which patient, and which maps are decoys."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from axilla.explanation.reader_study.case_sampling import CaseShowing
from axilla.explanation.reader_study.reading_questions import Criteria
from axilla.records.errors import Problem, StudyError
from axilla.records.types import IMAGE_MODALITIES

KEY: Final = "review/key.json"
"""Where the key lies in results/."""
PACKETS: Final = "review"
"""Folder of the packets in a study, unless another was asked for."""
WARNING: Final = (
    "Keep this file from readers: it tells which patient each code is, and which maps are decoys."
)
_DIGEST_BYTES: Final = 5


@dataclass(frozen=True, slots=True)
class Key:
    """What the answers of one export are scored with; `packet` names the export."""

    packet: str
    seed: int
    model: str
    criteria: Criteria
    items: tuple[CaseShowing, ...]
    orders: Mapping[str, tuple[str, ...]]

    def item(self, case: str) -> CaseShowing:
        """Return the showing of a code."""
        return next(item for item in self.items if item.case == case)


def packet_name(content: Mapping[str, Any]) -> str:
    """Return a short name of an export that changes with anything a reader is shown."""
    text = json.dumps(content, sort_keys=True, ensure_ascii=False)
    return hashlib.blake2b(text.encode(), digest_size=_DIGEST_BYTES).hexdigest()


def as_json(key: Key) -> dict[str, Any]:
    """Return what key.json holds."""
    return {
        "warning": WARNING,
        "packet": key.packet,
        "seed": key.seed,
        "model": key.model,
        "criteria": {modality: list(texts) for modality, texts in key.criteria.items()},
        "items": [
            {
                "case": item.case,
                "patient_id": item.patient_id,
                "map": item.map,
                "modalities": list(item.modalities),
            }
            for item in key.items
        ],
        "orders": {reader: list(order) for reader, order in key.orders.items()},
    }


def read_key(path: Path) -> Key:
    """Read key.json; raise `StudyError` if it is missing or damaged."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        return Key(
            str(content["packet"]),
            int(content["seed"]),
            str(content["model"]),
            {
                m: tuple(content["criteria"][m])
                for m in IMAGE_MODALITIES
                if m in content["criteria"]
            },
            tuple(
                CaseShowing(
                    str(item["case"]),
                    str(item["patient_id"]),
                    "decoy" if item["map"] == "decoy" else "real",
                    tuple(m for m in IMAGE_MODALITIES if m in item["modalities"]),
                )
                for item in content["items"]
            ),
            {str(reader): tuple(order) for reader, order in content["orders"].items()},
        )
    except FileNotFoundError as error:
        remedy = "Run `axilla review export` first."
        raise StudyError(Problem(path.name, "no such file", "the key", remedy)) from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        remedy = "Restore it: without its key a reading cannot be scored."
        raise StudyError(Problem(path.name, "a damaged key", "the key", remedy)) from error
