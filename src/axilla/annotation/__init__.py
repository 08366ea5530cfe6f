"""Regions of interest: rules that turn what a reader drew into a rectangle."""
