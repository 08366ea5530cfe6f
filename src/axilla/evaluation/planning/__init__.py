"""How many patients a study needs: for an interval, for a difference, from its own results."""
