"""Pages and API for those who do not use a shell: annotate, review, predict, read, see results."""
