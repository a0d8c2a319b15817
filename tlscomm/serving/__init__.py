"""A running server without the words that describe it: services, their life, sockets, events, and how all that ends."""
