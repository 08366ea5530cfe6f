"""Networks trained on images."""
