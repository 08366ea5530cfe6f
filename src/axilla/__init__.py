"""axilla: does fusing breast ultrasound with biopsy pathology predict axillary node metastasis?"""

__version__: str

RESEARCH_USE_ONLY = (
    "Research use only. axilla is not a medical device: "
    "nothing it shows may guide the care of a patient."
)


def __getattr__(name: str) -> str:
    """Look the version up when it is first asked for: that takes longer than the rest of --help."""
    if name != "__version__":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib.metadata import version  # noqa: PLC0415 - see above

    return version("axilla")
