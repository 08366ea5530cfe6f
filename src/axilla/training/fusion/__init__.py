"""Fusion strategies, on embeddings or trained jointly."""
