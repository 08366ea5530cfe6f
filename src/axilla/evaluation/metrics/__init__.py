"""Metrics of one model."""
