"""Predictions for the web: one process with torch, one that decodes pictures, and their queues."""
