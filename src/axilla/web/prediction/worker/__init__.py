"""The worker processes that predict and decode images."""
