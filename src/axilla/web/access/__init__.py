"""Who may do what: accounts, sessions, tokens, and what browsers must prove."""
