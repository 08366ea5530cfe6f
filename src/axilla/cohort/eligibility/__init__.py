"""Eligibility criteria, rules and the inclusion flow."""
