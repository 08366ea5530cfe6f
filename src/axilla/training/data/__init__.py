"""Pixels and embeddings that trials share."""
