"""axilla: does fusing breast ultrasound with biopsy pathology predict axillary node metastasis?"""

from importlib.metadata import version

__version__ = version("axilla")

RESEARCH_USE_ONLY = (
    "Research use only. axilla is not a medical device: "
    "nothing it shows may guide the care of a patient."
)
