"""The checks of `axilla check`."""
