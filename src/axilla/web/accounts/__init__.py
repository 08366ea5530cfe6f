"""Accounts, roles, sessions and signing in."""
