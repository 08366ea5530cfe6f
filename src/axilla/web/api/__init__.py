"""The REST API: what programs, and the pages themselves, ask for."""
