"""Why the model says so: heatmaps, their truthfulness, blinded readings."""
