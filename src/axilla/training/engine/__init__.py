"""Trials, the processes that run them, and their cache."""
