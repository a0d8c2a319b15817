"""Garbage collection in a process that is one server.

What is there when a server begins to serve, its modules and its configuration, stays until it ends. Python would look
for cycles among it all the same, over and over, and most often while many connections come: 20 to 30 ms each time, in
which each open connection waits. A program of your own may do the same; a library does not decide that.
"""

from __future__ import annotations

import gc

__all__ = ["leaveOutOfCollections"]


def leaveOutOfCollections() -> None:
    """Leave out of later collections what is there now. For the whole of a process only."""
    gc.collect()
    gc.freeze()
