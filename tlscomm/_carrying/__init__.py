"""The way of the bytes between TCP, TLS and the protocol above."""
