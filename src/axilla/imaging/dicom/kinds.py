"""Which DICOM objects are ultrasound images, and what the others are."""

from pydicom import uid

from axilla.imaging.dicom.dicom_errors import Refused
from axilla.imaging.dicom.elements import Attributes

_ULTRASOUND = (
    uid.UltrasoundImageStorage,
    uid.UltrasoundMultiFrameImageStorage,
    uid.EnhancedUSVolumeStorage,
    "1.2.840.10008.5.1.4.1.1.6",  # retired ultrasound classes
    "1.2.840.10008.5.1.4.1.1.3",
)
# Screenshots and converted pictures: ultrasound unless their modality says otherwise.
_CAPTURES = (
    uid.SecondaryCaptureImageStorage,
    uid.MultiFrameGrayscaleByteSecondaryCaptureImageStorage,
    uid.MultiFrameGrayscaleWordSecondaryCaptureImageStorage,
    uid.MultiFrameTrueColorSecondaryCaptureImageStorage,
    "",
)
_ULTRASOUND_MODALITIES = ("US", "IVUS")
_UNTOLD_MODALITIES = ("", "OT", "SC")
_SLIDES = (uid.VLWholeSlideMicroscopyImageStorage, uid.VLSlideCoordinatesMicroscopicImageStorage)


def refuse_others(attributes: Attributes, sop_class: uid.UID) -> None:
    """Raise `Refused` unless the object is an ultrasound image or an undeclared screenshot."""
    modality = attributes.word("Modality")
    if sop_class in _SLIDES or modality == "SM":
        raise Refused(
            "a microscopic slide",
            expected="an ultrasound image",
            remedy="Put it into the pathology column.",
        )
    if sop_class in _ULTRASOUND:
        return
    if sop_class in _CAPTURES and modality in _ULTRASOUND_MODALITIES + _UNTOLD_MODALITIES:
        return
    # Only names of the standard: whatever else stands there may identify somebody.
    named = sop_class.name if sop_class.type == "SOP Class" else "another kind of object"
    raise Refused(
        f"DICOM of the kind {named}",
        expected="an ultrasound image",
        remedy="Choose the ultrasound image of this examination.",
    )
