"""Rows and sentences of the report's tables."""
