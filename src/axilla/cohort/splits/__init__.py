"""Folds and splits by patient and group."""
