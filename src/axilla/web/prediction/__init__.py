"""Predictions of single cases."""
