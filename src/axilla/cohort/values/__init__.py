"""Values of single cells and of derived columns."""
