"""Many devices, each with a certificate of its own, and the server that collects what they measure."""
