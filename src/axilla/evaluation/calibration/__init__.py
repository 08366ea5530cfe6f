"""Calibration metrics and curves."""
