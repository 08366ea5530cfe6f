"""Slides opened through OpenSlide, few at a time; its failures become `UnreadableImage`."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from axilla.imaging.slides.slide_files import is_dicom_slide, lists_all_tiles
from axilla.records.errors import Problem, UnreadableImage

if TYPE_CHECKING:
    import openslide

_OPEN_SLIDES = 8
_CACHE_BYTES = 64 << 20

INSTALL = "Install it with: pip install 'axilla[wsi]'."


@contextmanager
def opened_slide(path: Path) -> Iterator["openslide.OpenSlide"]:
    """Lend an opened slide, safe to read from several threads; raise `UnreadableImage`.

    The slides used last stay open, with the tiles decoded last: at most 8 slides and 64 MiB per
    process. A slide that is dropped closes itself when its last reader is done.
    """
    library = _library(path)
    try:
        state = path.stat()
        if is_dicom_slide(path) and not _is_whole_series(path, state.st_mtime_ns, os.getpid()):
            raise unreadable_slide(path, "a damaged or truncated slide")
        slide = _open(str(path), state.st_mtime_ns, state.st_size, os.getpid())
        yield slide
    except library.OpenSlideUnsupportedFormatError as error:
        raise unreadable_slide(path, "a file that OpenSlide does not know") from error
    except library.OpenSlideError as error:
        _open.cache_clear()  # after an error an opened slide refuses everything
        raise unreadable_slide(path, "a damaged or truncated slide") from error
    except FileNotFoundError as error:
        remedy = "Correct the path, or add the file."
        raise unreadable_slide(path, "no such file", remedy=remedy) from error
    except (OSError, ValueError, MemoryError) as error:
        found = f"a slide that cannot be read ({type(error).__name__})"
        raise unreadable_slide(path, found) from error


def close_slides() -> None:
    """Close the slides that stay open, and forget their tiles: their files are about to go."""
    _open.cache_clear()
    _is_whole_series.cache_clear()
    _tile_cache.cache_clear()


def unreadable_slide(
    path: Path, found: str, *, remedy: str = "Copy or export the slide again."
) -> UnreadableImage:
    """Return the error that this file is no slide that can be read."""
    return UnreadableImage(Problem(path.name, found, "a whole slide that OpenSlide reads", remedy))


def _library(path: Path) -> Any:
    try:
        import openslide  # noqa: PLC0415 - optional: only who has slides needs it
    except (ImportError, OSError) as error:  # OSError: the library behind it does not load
        raise unreadable_slide(path, "a whole slide, but no OpenSlide", remedy=INSTALL) from error
    return openslide


@lru_cache(maxsize=_OPEN_SLIDES)
def _open(path: str, _changed_ns: int, _size: int, process: int) -> "openslide.OpenSlide":
    """Open a slide once per content and process: a forked process must not share file offsets."""
    import openslide  # noqa: PLC0415

    if not lists_all_tiles(Path(path)):
        raise unreadable_slide(Path(path), "fewer tiles than its size takes")
    slide = openslide.OpenSlide(path)
    slide.set_cache(_tile_cache(process))
    return slide


@lru_cache(maxsize=_OPEN_SLIDES)
def _is_whole_series(path: Path, _changed_ns: int, _process: int) -> bool:
    from axilla.imaging.slides.dicom_series import (  # noqa: PLC0415 - pydicom is slow to import
        frames_are_whole,
        other_files,
    )

    return all(frames_are_whole(file) for file in (path, *other_files(path)))


@lru_cache(maxsize=1)
def _tile_cache(_process: int) -> "openslide.OpenSlideCache":
    import openslide  # noqa: PLC0415

    return openslide.OpenSlideCache(_CACHE_BYTES)
