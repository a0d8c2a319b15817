"""Revocation: what lists and responses say, and where they come from."""
