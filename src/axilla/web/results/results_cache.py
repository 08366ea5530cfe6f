"""The results of a study, read again only after they have changed, and how a run goes on."""

import re
from collections.abc import Iterator
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Final

from axilla.records.errors import CohortError, ConfigError, Problem, StudyError
from axilla.records.progress import NAME as PROGRESS
from axilla.records.progress import Run, read_run
from axilla.records.run_folder import RunFolder
from axilla.records.types import ImageModality
from axilla.web.core.file_stamps import Stamp, stamp_of
from axilla.web.core.http_errors import BusyError, NotFoundError
from axilla.web.results.results_schemas import (
    CaseDetail,
    Cases,
    CaseSelection,
    FailureList,
    Overview,
    PictureKind,
    RunState,
)

if TYPE_CHECKING:
    from axilla.web.results.case_images import CasePictures
    from axilla.web.results.results_view import View


_NEEDED: Final = ("predictions.csv", "metrics.csv")
_PAGES: Final = ("report.html", "model_card.md")
_TABLE: Final = re.compile(r"[a-z0-9_]{1,60}\.csv")
_FIGURE: Final = re.compile(r"[a-z0-9_]{1,60}\.(?:svg|png)")
_ATTEMPTS: Final = 3
_WAIT_S: Final = 3


class ResultsCache:
    """Answers for results/ of one study folder."""

    def __init__(self, folder: RunFolder) -> None:
        """Read nothing yet."""
        self._folder = folder
        self._lock = Lock()
        self._kept: tuple[Stamp, View, CasePictures] | None = None

    def overview(self) -> Overview:
        """Return what there is; never raises for what a run or a user did to the files."""
        if not self._there():
            return Overview(state="none")
        try:
            return self.view().overview(figures=self.figures(), files=self.files())
        except BusyError as busy:
            return Overview(state="writing", message=str(busy.problem))
        except NotFoundError:
            return Overview(state="none")
        except (StudyError, ConfigError, CohortError) as error:
            return Overview(state="damaged", message=str(error))

    def view(self) -> "View":
        """Return the results as they are now.

        Raises `NotFoundError` before the first run, `BusyError` while they are being written, and
        `StudyError` if they do not belong together.
        """
        return self._now()[0]

    def cases(self, point: CaseSelection) -> Cases:
        """Return the cases behind a point; raises as `view` does."""
        view, _ = self._now()
        from axilla.web.results.case_lists import cases_at  # noqa: PLC0415 - as in _load

        return cases_at(view.results, view.entry(point.model), point)

    def case(self, patient: str) -> CaseDetail:
        """Return one patient; raises as `view` does, and `NotFoundError` for nobody."""
        view, pictures = self._now()
        from axilla.web.results.case_lists import case_of  # noqa: PLC0415 - as in _load

        return case_of(view.results, patient, pictures=pictures.list_images(patient))

    def gallery(self, model: str, *, most: int) -> FailureList:
        """Return a model's most confident errors; raises as `view` does."""
        view, _ = self._now()
        from axilla.web.results.case_lists import gallery_of  # noqa: PLC0415 - as in _load

        return gallery_of(view.results, view.entry(model), most=most)

    def picture(self, patient: str, modality: ImageModality, *, kind: PictureKind) -> bytes:
        """Return a JPEG; raises as `view` does, and `NotFoundError` without such a picture."""
        return self._now()[1].draw(patient, modality, kind=kind)

    def _now(self) -> "tuple[View, CasePictures]":
        if not self._there():
            remedy = "Run `axilla run` on this study."
            raise NotFoundError(Problem("results", "none yet", "a finished study", remedy))
        with self._lock:
            for _ in range(_ATTEMPTS):
                before = self._stamp()
                if self._kept is not None and self._kept[0] == before:
                    return self._kept[1:]
                found = self._load()
                if found is not None and self._stamp() == before:
                    self._kept = before, *found
                    return found
        raise _being_written()

    def run(self) -> RunState:
        """Return how the last run went, or goes on."""
        run = read_run(self._folder.table(PROGRESS))
        return RunState(state="none") if run is None else _run_state(run)

    def figures(self) -> list[str]:
        """Return the names of the figures."""
        return _names(self._folder.figures, _FIGURE)

    def files(self) -> list[str]:
        """Return the names of tables and pages that may be downloaded."""
        pages = [name for name in _PAGES if self._folder.table(name).is_file()]
        return [*pages, *_names(self._folder.results, _TABLE)]

    def figure(self, name: str) -> bytes:
        """Return a figure; raise `NotFoundError` for any other file."""
        return _read(self._folder.figures, name, self.figures())

    def file(self, name: str) -> bytes:
        """Return a table or page; raise `NotFoundError` for any other file."""
        return _read(self._folder.results, name, self.files())

    def _there(self) -> bool:
        return all(self._folder.table(name).is_file() for name in _NEEDED)

    def _load(self) -> "tuple[View, CasePictures] | None":
        """Read everything; None if files went away meanwhile, or a run is about to mend them."""
        # Statistics take seconds to import; serving pages must not wait for them.
        from axilla.web.results.case_images import CasePictures  # noqa: PLC0415
        from axilla.web.results.results_view import open_view  # noqa: PLC0415

        try:
            view = open_view(self._folder)
            return view, CasePictures(view)
        except FileNotFoundError:
            return None
        except StudyError:
            if self.run().state == "running":
                raise _being_written() from None
            raise

    def _stamp(self) -> Stamp:
        """Return the stamp of all files that results are read from."""
        return stamp_of(sorted(_sources(self._folder)))


def _sources(folder: RunFolder) -> Iterator[Path]:
    results = folder.results
    paths = [folder.root / "study.toml", *results.glob("*.csv"), *results.glob("*.json")]
    paths += [*(results / "review").glob("*.csv"), results / "heatmaps" / "explanation.json"]
    yield from (path for path in paths if path.name != PROGRESS and not path.name.startswith("."))


def _names(folder: Path, pattern: re.Pattern[str]) -> list[str]:
    return sorted(
        path.name
        for path in (folder.iterdir() if folder.is_dir() else ())
        if pattern.fullmatch(path.name) and path.is_file() and not path.is_symlink()
    )


def _read(folder: Path, name: str, known: list[str]) -> bytes:
    if name not in known:
        raise NotFoundError(Problem("file", "no such one", "a table or figure of the results"))
    try:
        return (folder / name).read_bytes()
    except OSError as error:
        raise _being_written() from error


def _being_written() -> BusyError:
    remedy = "Try again when the run has got further."
    problem = Problem("results", "files that a run is writing", "a finished study", remedy)
    return BusyError(problem, retry_after_s=_WAIT_S)


def _run_state(run: Run) -> RunState:
    task = run.task
    left = None
    if task is not None and 0 < task.done <= task.total:
        left = task.seconds / task.done * (task.total - task.done)
    return RunState(
        state=run.state,
        message=run.message,
        seconds=max(0.0, run.seen - run.started),
        left_s=left,
        stage=run.stage,
        task=task,
        stages=list(run.stages),
        planned=list(run.planned),
    )
