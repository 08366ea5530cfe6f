"""Settings, database, sessions, languages and page layout."""
