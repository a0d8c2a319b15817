"""Traces for people: a diagram for the terminal, and a page that stands alone."""
