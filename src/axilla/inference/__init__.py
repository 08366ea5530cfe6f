"""From one patient's data to a probability: bundles, predictors, operating thresholds."""
