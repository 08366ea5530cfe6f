"""What axilla costs, measured against stated references in one run: `make bench`."""
