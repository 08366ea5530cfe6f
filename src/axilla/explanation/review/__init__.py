"""The blinded reader study: cases drawn, packets written, answers read."""
