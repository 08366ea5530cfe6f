"""Where commands speak: results on standard output, progress and errors on standard error."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import typer
from rich.console import Console
from rich.markup import escape

from axilla.cli.progress_display import ConsoleProgress
from axilla.records.errors import AxillaError
from axilla.records.run_folder import RunFolder

_MOST_PROBLEMS = 50
_NO_SPACE = 28

out = Console(highlight=False, soft_wrap=True)
err = Console(stderr=True, highlight=False, soft_wrap=True)
progress = ConsoleProgress(err)


@contextmanager
def reporting() -> Iterator[None]:
    """Turn what a user can cause into one readable message and its exit code."""
    try:
        yield
    except AxillaError as error:
        show(error)
        raise typer.Exit(error.exit_code) from error
    except OSError as error:
        name = Path(error.filename).name if error.filename else "a file"
        err.print(f"[bold red]error[/] {escape(name)}: {escape(error.strerror or str(error))}")
        raise typer.Exit(1) from error
    except KeyboardInterrupt as error:
        err.print("Stopped. Finished trials are kept; run the same command to go on.")
        raise typer.Exit(130) from error


def show(error: AxillaError) -> None:
    """Print an error: every problem on its own line, up to a readable number of them."""
    if not error.problems:
        err.print(f"[bold red]error[/] {escape(str(error))}")
        return
    for problem in error.problems[:_MOST_PROBLEMS]:
        err.print(f"[bold red]error[/] {escape(str(problem))}")
    if (more := len(error.problems) - _MOST_PROBLEMS) > 0:
        err.print(f"... and {more} more problems.")


def study_folder(path: Path) -> RunFolder:
    """Return the run folder of a study directory, wherever the command was typed."""
    return RunFolder(path.resolve())
