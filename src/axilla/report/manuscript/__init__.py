"""Tables for a manuscript."""
