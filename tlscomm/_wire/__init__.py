"""TLS as it is on the wire: bytes and objects, and nothing of OpenSSL, files or Twisted."""
