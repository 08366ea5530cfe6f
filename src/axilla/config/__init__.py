"""study.toml: its sections, presets and how it is loaded."""
