"""axilla: does fusing breast ultrasound with biopsy pathology predict axillary node metastasis?

`axilla.stats` holds the statistics for notebooks.
"""

from importlib import import_module

__version__: str

RESEARCH_USE_ONLY = (
    "Research use only. axilla is not a medical device: "
    "nothing it shows may guide the care of a patient."
)


def __getattr__(name: str) -> object:
    """Import what is asked for only then: `axilla --help` and `import axilla` need none of it."""
    if name == "stats":
        return import_module("axilla.stats")
    if name == "__version__":
        from importlib.metadata import version  # noqa: PLC0415 - longer than the rest of --help

        return version("axilla")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
