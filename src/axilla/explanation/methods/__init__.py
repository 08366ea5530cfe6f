"""Methods that compute heatmaps."""
