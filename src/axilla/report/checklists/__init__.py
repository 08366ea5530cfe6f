"""Reporting checklists, filled as far as a study's results can fill them."""
