"""The study that is served: its images and settings, read again when their files change."""
