"""Images and thumbnails in the report."""
