"""The bundle as its manifest describes it, read again when the file changes; without torch."""

import threading
from dataclasses import dataclass
from pathlib import Path

from axilla.inference.manifest import Manifest, read_manifest
from axilla.records.digests import digest_of_files
from axilla.records.errors import AxillaError, Problem
from axilla.web.core.file_stamps import Stamp, stamp_of
from axilla.web.core.http_errors import BusyError, NotFoundError

_REMEDY = "Finish the study with `axilla run`, or name a bundle with --bundle."


@dataclass(frozen=True, slots=True)
class BundleInfo:
    """What a bundle says of itself, and the digest of its file."""

    manifest: Manifest
    digest: str


class KnownBundle:
    """Reads the manifest of the bundle that is served."""

    def __init__(self, path: Path) -> None:
        """Serve the bundle at `path`, which may come later."""
        self._path = path
        self._lock = threading.Lock()
        self._stamp: Stamp | None = None
        self._known: BundleInfo | None = None

    @property
    def name(self) -> str:
        """Return the file's name."""
        return self._path.name

    def get_info(self) -> BundleInfo:
        """Return the bundle's facts; raise `NotFoundError` or, for a bad bundle, `BusyError`."""
        if not self._path.is_file():
            raise NotFoundError(
                Problem("bundle", "none in this study", "one that predicts", _REMEDY)
            )
        stamp = stamp_of((self._path,))
        with self._lock:
            if self._known is None or stamp != self._stamp:
                try:
                    manifest = read_manifest(self._path)
                    self._known = BundleInfo(manifest, digest_of_files([self._path]))
                except (AxillaError, OSError) as error:
                    found = "a file that cannot be read"
                    problem = Problem("bundle", found, "a bundle", _REMEDY)
                    raise BusyError(problem, retry_after_s=30) from error
                self._stamp = stamp
            return self._known
