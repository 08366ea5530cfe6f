"""Write results.json into RESULTS.md, between its markers: `python -m benchmarks.render`."""

from pathlib import Path

from benchmarks.common import Result
from benchmarks.running import NAMES, known_results, lines_of

_PAGE = Path(__file__).parent / "RESULTS.md"


def main() -> None:
    """Fill each benchmark's part of the page; what was not measured keeps its text."""
    page = _PAGE.read_text(encoding="utf-8")
    for name, result in known_results().items():
        if name in NAMES and f"<!-- {name} -->" in page:
            page = _filled(page, name, [*lines_of(name, result), "", _where(result["machine"])])
    _PAGE.write_text(page, encoding="utf-8")


def _filled(page: str, name: str, lines: list[str]) -> str:
    start, end = f"<!-- {name} -->", f"<!-- end of {name} -->"
    before, rest = page.split(start)
    _, after = rest.split(end)
    return "\n".join([before + start, "", *lines, "", end + after])


def _where(machine: Result) -> str:
    versions = ", ".join(f"{name} {number}" for name, number in machine["versions"].items())
    gpu = f", {machine['gpu']}" if machine["gpu"] else ""
    return (
        f"Measured on {machine['date']}: {machine['processor']}, {machine['cores']} cores, "
        f"{machine['memory_gib']:.0f} GiB{gpu}; {machine['system']}, Python {machine['python']}; "
        f"{versions}."
    )


if __name__ == "__main__":
    main()
