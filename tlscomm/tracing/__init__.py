"""What happened on a connection, message by message, and why it ended as it did: live, or read from a capture.

A `Trace` is made by a connection that was traced, or by `readCaptures`. It is the same object either way, and
`tlscomm.drawing` draws it.
"""
