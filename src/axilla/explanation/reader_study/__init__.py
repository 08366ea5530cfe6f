"""Blinded reader study of heatmaps."""
