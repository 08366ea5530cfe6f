"""The blinded reader study in the browser."""
