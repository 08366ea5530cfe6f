"""A study's results on the web: read once, asked often, while a run may be writing them."""
