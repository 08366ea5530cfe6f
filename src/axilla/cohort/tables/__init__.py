"""Cohort tables: CSV and Excel files, encodings and columns."""
