"""Certificates: how they are encoded, what they say, and one table each of what their numbers mean."""
