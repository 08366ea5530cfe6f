"""How good the images of a cohort are, and whether some of them are the same."""
