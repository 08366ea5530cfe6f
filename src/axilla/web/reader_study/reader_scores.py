"""From the database's answers to the files and numbers of `axilla review score`."""

import csv
import json
from collections.abc import Iterator, Mapping
from io import StringIO
from threading import Lock
from typing import Any, Final

from axilla.explanation.reader_study.blinding_key import PACKETS, Key
from axilla.explanation.reader_study.packets import COLUMNS
from axilla.records.errors import Problem, StudyError
from axilla.records.run_folder import RunFolder, write_bytes
from axilla.records.table_columns import harmless
from axilla.web.core.http_errors import NotFoundError
from axilla.web.reader_study.packet_contents import answers_of
from axilla.web.reader_study.reader_answers import ReadCase

SUMMARY: Final = "review/summary.json"
_scoring: Final = Lock()

Kept = Mapping[str, Mapping[str, ReadCase]]
"""Answers by reader and code of the case."""


def answers_table(key: Key, kept: Kept) -> bytes:
    """Return answers as the CSV that a packet's own page saves, the readers below each other."""
    stream = StringIO(newline="")
    writer = csv.writer(stream, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    for reader, order in key.orders.items():
        own = kept.get(reader, {})
        writer.writerows(row for code in order for row in _rows(key, reader, code, own.get(code)))
    return stream.getvalue().encode("utf-8-sig")


def _rows(key: Key, reader: str, code: str, kept: ReadCase | None) -> Iterator[tuple[str, ...]]:
    for one in answers_of(key, code, kept):
        said = (_word(one.present), _word(one.matches), harmless(one.comment))
        yield reader, code, one.modality, one.criterion, *said, key.packet


def write_answers(folder: RunFolder, key: Key, kept: Kept) -> None:
    """Write each reader's answers into the packet, where `axilla review score` looks for them.

    Readers who answered nothing here may have sent a file; theirs is left alone.
    """
    for reader, own in kept.items():
        if own and reader in key.orders:
            alone = Key(key.packet, key.seed, key.model, key.criteria, key.items, _of(key, reader))
            path = folder.root / PACKETS / reader / f"answers-{reader}.csv"
            write_bytes(path, answers_table(alone, {reader: own}))


def score(folder: RunFolder, key: Key, kept: Kept, *, strict: bool) -> dict[str, Any]:
    """Score all answers, those of files in the packets too; write the tables and return them.

    Raises `StudyError` without any valid answer, and with `strict` for any fault or gap.
    """
    # Statistics take seconds to import; serving pages must not wait for them.
    from axilla.config.load import read_study  # noqa: PLC0415
    from axilla.report.reader_study_scores import (  # noqa: PLC0415
        as_record,
        score_review,
        write_scores,
    )

    with _scoring:
        write_answers(folder, key, kept)
        config = read_study(folder.root / "study.toml")
        scored = score_review(config, folder, None, strict=strict)
        write_scores(folder, scored)
        return as_record(scored)


def last_scores(folder: RunFolder) -> dict[str, Any]:
    """Return what was scored last; raise `NotFoundError` before that."""
    path = folder.table(SUMMARY)
    try:
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        remedy = "Score the answers first."
        raise NotFoundError(Problem("scores", "none yet", "a scored reading", remedy)) from error
    except ValueError as error:
        remedy = "Score the answers again."
        raise StudyError(Problem(path.name, "a damaged file", "the last scores", remedy)) from error
    return content


def _of(key: Key, reader: str) -> dict[str, tuple[str, ...]]:
    return {reader: key.orders[reader]}


def _word(answer: bool | None) -> str:  # noqa: FBT001 - the value itself
    return "" if answer is None else "yes" if answer else "no"
