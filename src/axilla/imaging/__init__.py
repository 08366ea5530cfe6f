"""Image files of hospitals, decoded to pixels and metadata."""
