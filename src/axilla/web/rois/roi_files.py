"""Accepted ROIs into rois.csv, and who agreed with whom into roi_reviews.csv."""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from sqlalchemy import select, update

from axilla.annotation.roi_reviews import REVIEWS, reviews_csv
from axilla.annotation.stage import save_rois
from axilla.config.load import read_study
from axilla.config.study import StudyConfig
from axilla.records.errors import AxillaError
from axilla.records.run_folder import lock_file, write_bytes
from axilla.web.core.database import Database
from axilla.web.rois.roi_review_store import reviews
from axilla.web.rois.roi_store import RoiDrawing, roi_of

SOURCE: Final = "axilla serve"
_log = logging.getLogger(__name__)


def file_accepted(database: Database, root: Path) -> tuple[str, ...]:
    """Bring both files up to date with the database; return the images that lost their mask.

    Rows of rois.csv that are up to date are left alone, so that what another tool imported since
    stays; without the file all are written. Raises `AxillaError` if it cannot be read, `OSError`
    if it cannot be written: the next call does it then.
    """
    config = read_study(root / "study.toml")
    table = root / config.cohort.rois
    with lock_file(table.parent / REVIEWS):
        with database.reading() as session:
            wanted = select(RoiDrawing).where(RoiDrawing.standing.is_not(None))
            standing = {row.image: row for row in session.scalars(wanted)}
            said = reviews(session)
        whole = table.is_file()
        due = {k: row for k, row in standing.items() if not whole or row.standing != row.filed}
        lost = _save(config, root, due) if due else ()
        _note(database, due)
        path = table.parent / REVIEWS
        if said or path.is_file():
            write_bytes(path, reviews_csv(said))
    return lost


def file_at_start(database: Database, root: Path) -> None:
    """Do what a server that ended between database and files left undone."""
    try:
        file_accepted(database, root)
    except (AxillaError, OSError) as error:
        _log.warning("rois.csv is not up to date: %s", type(error).__name__)


def _save(config: StudyConfig, root: Path, due: Mapping[str, RoiDrawing]) -> tuple[str, ...]:
    rois = {row.path: roi_of(row.standing) for row in due.values()}
    return save_rois(config, root, rois, source=SOURCE)


def _note(database: Database, due: Mapping[str, RoiDrawing]) -> None:
    """Write down what the file holds; what was accepted meanwhile stays due."""
    if not due:
        return
    with database.writing() as session:
        for row in due.values():
            session.execute(
                update(RoiDrawing)
                .where(RoiDrawing.image == row.image, RoiDrawing.standing == row.standing)
                .values(filed=row.standing)
            )
