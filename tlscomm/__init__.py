"""Mutual TLS for Twisted.

Two programs prove to each other who they are with certificates, and then exchange messages. A connection counts as
made when both sides have accepted each other, and every refusal has one name out of one closed list.
"""

__version__ = "0.1.0.dev0"
