"""A worker: takes cases as lines of JSON, puts each to its doors, and answers with what it saw.

It may hang, be killed or die within a decoder: whoever started it notices.
"""

import ctypes
import faulthandler
import gc
import importlib
import json
import os
import resource
import signal
import sys
import time
import traceback
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TextIO

from axilla.records.errors import AxillaError
from fuzz.cases import Format, make_case

_MIB = 1 << 20
_STATUS = Path("/proc/self/status")
_CLEAR = Path("/proc/self/clear_refs")
_RESETS_PEAK = "5"


def main() -> None:
    """Serve until standard input ends: `python -m fuzz.worker MODULE KILL_CPU_SECONDS`."""
    module, limit = sys.argv[1], float(sys.argv[2])
    replies = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what libraries print must not mix with the replies
    faulthandler.enable()
    warnings.simplefilter("ignore")
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    formats: Mapping[str, Format] = importlib.import_module(module).FORMATS
    for line in sys.stdin:
        asked = json.loads(line)
        _serve(asked, formats[asked["format"]], limit=limit, replies=replies)


def _serve(asked: Mapping[str, Any], form: Format, *, limit: float, replies: TextIO) -> None:
    """Make one case and try it; the processor time that making it takes is not counted."""
    form.seeds  # noqa: B018 - made once, and with them what must be imported
    if "path" in asked:
        path, history = Path(asked["path"]), tuple[str, ...]()
    else:
        case = make_case(form, asked["number"], seed=asked["seed"])
        path, history = Path(asked["folder"]) / case.name, case.history
        path.write_bytes(case.content)
        del case
    gc.freeze()  # what libraries and seeds hold need not be gone through again for every case
    begun = {"path": str(path), "history": history, "resident_mib": _resident_mib()}
    print(json.dumps(begun), file=replies, flush=True)
    # Past this much processor time the kernel ends the process, whatever it is doing.
    signal.setitimer(signal.ITIMER_PROF, limit)
    seen = attempt(form, path)
    signal.setitimer(signal.ITIMER_PROF, 0)
    print(json.dumps(seen), file=replies, flush=True)


def attempt(form: Format, path: Path) -> dict[str, Any]:
    """Put a file to every door of its format; return what came of it, and what it cost.

    Costs are those of the dearest door; a file is read if one of the doors reads it.
    """
    outcome: dict[str, Any] = {"outcome": "refused", "said": ""}
    costs = []
    for door in form.doors:
        before = _reset_peak_mib()
        cpu, wall = time.process_time(), time.perf_counter()
        try:
            door(path)
            outcome = {"outcome": "read", "said": ""}
        except AxillaError as refusal:
            outcome["said"] = outcome["said"] or str(refusal)[:300]
        except BaseException as error:
            if isinstance(error, KeyboardInterrupt):
                raise
            said = "".join(traceback.format_exception(error))[-6_000:]
            outcome = {"outcome": "traceback", "said": said}
        costs.append(
            (
                time.process_time() - cpu,
                time.perf_counter() - wall,
                max(0, _status_mib("VmHWM") - before),
            )
        )
        if outcome["outcome"] == "traceback":
            break
    cpu_seconds, wall_seconds, peak_mib = (max(cost) for cost in zip(*costs, strict=True))
    return outcome | {
        "cpu_seconds": cpu_seconds, "wall_seconds": wall_seconds, "peak_mib": peak_mib,
    }  # fmt: skip


def _reset_peak_mib() -> int:
    """Let the kernel measure the peak from now on; return what is resident now.

    Memory that was freed before is given back first: used again, it would not show.
    """
    gc.collect()
    if sys.platform == "linux":
        ctypes.CDLL(None).malloc_trim(0)
        _CLEAR.write_text(_RESETS_PEAK)
    return _resident_mib()


def _resident_mib() -> int:
    return _status_mib("VmRSS")


def _status_mib(key: str) -> int:
    if not _STATUS.exists():  # not Linux: the peak since the start stands in
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 // _MIB
    line = next(line for line in _STATUS.read_text().splitlines() if line.startswith(key))
    return int(line.split()[1]) * 1024 // _MIB


if __name__ == "__main__":
    main()
