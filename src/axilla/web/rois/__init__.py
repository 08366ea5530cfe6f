"""Annotation and review of ROIs."""
