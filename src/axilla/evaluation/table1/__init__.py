"""Table 1: who the patients are, between groups, with tests that suit each variable."""
