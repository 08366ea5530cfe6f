"""Networks by name: backbones that embed an image, strategies that fuse embeddings."""
