"""The report: figures, tables and one self-contained page from results; nothing is retrained."""
