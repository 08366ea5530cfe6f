"""Checks of image quality, duplicates and burned-in text."""
