"""Heads on embeddings of fixed networks."""
