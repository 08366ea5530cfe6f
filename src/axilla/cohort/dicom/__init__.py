"""Ultrasound DICOM files: what they show, and nothing of whom."""
