"""Credentials out of files: every format, where the bytes come from, and what opens them."""
