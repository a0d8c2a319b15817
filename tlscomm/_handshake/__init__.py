"""One handshake: what is judged when, and what a failure is called."""
