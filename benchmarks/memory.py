"""How much memory a process and its descendants hold at most, sampled from /proc."""

import threading
from pathlib import Path


class Peak:
    """Samples the memory of a process and its descendants until told to stop."""

    def __init__(self, pid: int) -> None:
        self.own = self.whole = 0
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._watch, args=(pid,))
        self._thread.start()

    def stop(self) -> None:
        self._stopped.set()
        self._thread.join()

    def _watch(self, pid: int) -> None:
        while not self._stopped.wait(0.2):
            usage = [_memory(process) for process in _family(pid)]
            self.own = max(self.own, sum(own for own, _ in usage))
            self.whole = max(self.whole, sum(whole for _, whole in usage))


def _family(pid: int) -> list[int]:
    found, new = [], [pid]
    while new:
        found += new
        new = [child for parent in new for child in _children(parent)]
    return found


def _children(pid: int) -> list[int]:
    tasks = Path(f"/proc/{pid}/task")
    try:
        return [
            int(child)
            for task in tasks.iterdir()
            for child in (task / "children").read_text(encoding="ascii").split()
        ]
    except OSError:
        return []


def _memory(pid: int) -> tuple[int, int]:
    """Return the bytes a process holds itself, and its proportional share with mapped files."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines()
    except OSError:
        return 0, 0
    sizes = {line.split(":")[0]: line.split()[1] for line in lines[1:]}
    whole = int(sizes["Pss"]) << 10
    return int(sizes["Pss_Anon"]) << 10, whole


def own_bytes(pid: int) -> int:
    """Return what a process and its descendants hold themselves now."""
    return sum(_memory(process)[0] for process in _family(pid))
