"""Garbage collection in a process that is one command.

What a command loads stays until its end, and the end is near. Python looks for cycles among it all the same: again and
again while modules are loaded, and through everything when the interpreter ends. In a command that connects, sends a
message and is done, that is a fifth of all CPU time, for memory that the system is given back a moment later.
"""

from __future__ import annotations

import atexit
import gc

__all__ = ["postpone", "resume"]


def postpone() -> None:
    """Collect nothing from now on, neither at the end of the process. For the whole of a process only."""
    gc.disable()
    # Frozen objects are left out when the interpreter ends. Files are closed where they are used, and not by it.
    atexit.register(gc.freeze)


def resume() -> None:
    """Collect again, but not what is there already: for what may last longer or need more memory than a command does.

    It does nothing where collection was not postponed.
    """
    if not gc.isenabled():
        gc.freeze()
        gc.enable()
