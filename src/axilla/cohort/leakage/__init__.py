"""Ways in which a study could know the outcome without looking at the disease."""
