"""DICOM ultrasound images."""
