"""Paired comparisons of models."""
