"""Whether heatmaps are true: tests that a flattering map fails, each with its interval."""
