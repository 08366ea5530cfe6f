"""Checks for leakage of the outcome through metadata and missing values."""
