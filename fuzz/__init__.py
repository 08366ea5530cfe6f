"""Mutated inputs at every door of axilla: each must be read, or refused with an `AxillaError`."""
