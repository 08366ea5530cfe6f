"""Metrics in subgroups of patients."""
