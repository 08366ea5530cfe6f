"""From pixels in a file to a network's input: the same code in training and serving."""
