"""The ``tlscomm`` command.

A person at a terminal and a program that reads the output are both served, so every command keeps three rules. What was
asked for goes to standard output and everything said about it to standard error. A failure has its name out of the
closed list and exit status 1; wrong usage has 2. No traceback answers bad input.

Options have to be explained in an instant, so nothing here imports Twisted or OpenSSL before a command needs them, and
no command is imported but the one that runs.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence

from tlscomm._lazy import lazyFace

__all__ = ["main", "program"]

TYPE_CHECKING = False
if TYPE_CHECKING:
    import click

    from tlscomm.commandline._program import program
else:
    # Ctrl-C is answered from the first moment, and the rest is loaded after that.
    __getattr__, __dir__ = lazyFace(__name__, {"program": "tlscomm.commandline._program"})

#: The packages that the extra ``command`` brings.
_OF_COMMAND = frozenset({"click", "jinja2", "prompt_toolkit", "rich"})

#: What a shell reports for a program that Ctrl-C ended.
_INTERRUPTED = 128 + signal.SIGINT


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command.

    Args:
        arguments: those after the program's name; where None, the process is the command, and they are its own.

    Returns:
        The exit status: 0 where all went well, 1 for a failure, 2 for wrong usage, 128 and the number of the signal
        where one ended it (130 for Ctrl-C).

    Raises:
        SystemExit: the reader of the output has gone; the status is 1, and nothing is said about it.
    """
    try:
        if arguments is None:
            from tlscomm.commandline import _collection, _unused

            _collection.postpone()
            _unused.putOff()
        _occupyStandardDescriptors()
        return _run(arguments)
    except KeyboardInterrupt:
        return _INTERRUPTED


def _run(arguments: Sequence[str] | None) -> int:
    try:
        import click

        from tlscomm.commandline._program import program
    except ModuleNotFoundError as missing:
        return _incomplete(missing)
    try:
        return int(program.main(arguments, prog_name="tlscomm", standalone_mode=False) or 0)
    except click.Abort:
        return _INTERRUPTED
    except click.ClickException as wrong:
        _show(wrong, sys.argv[1:] if arguments is None else arguments)
        return wrong.exit_code
    except ModuleNotFoundError as missing:
        return _incomplete(missing)
    except OSError as broken:
        # Commands answer all others themselves, so standard output is full or gone. The interpreter flushes it once
        # more at its end, and would complain.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        click.echo(f"Error: standard output cannot be written: {broken.strerror}", err=True)
        return 1


def _show(wrong: click.ClickException, arguments: Sequence[str]) -> None:
    """Say what is wrong, in an object for a program that has asked for one, even where its options were not read."""
    import click

    if "--json" not in arguments:
        wrong.show()
        return
    from tlscomm.commandline._printing import writeJSON

    kind = "usage" if isinstance(wrong, click.UsageError) else "error"
    writeJSON({"outcome": "failed", "failure": None, kind: wrong.format_message()})


def _incomplete(missing: ModuleNotFoundError) -> int:
    """Say what to install, where the library was installed without what the command needs."""
    name = (missing.name or "").partition(".")[0]
    if name not in _OF_COMMAND:
        raise missing
    sys.stderr.write(f"tlscomm: the command needs {name}, which is not installed: pip install 'tlscomm[command]'\n")
    return 1


def _occupyStandardDescriptors() -> None:
    """Keep a connection from getting a number that output is written to, where a caller has closed that."""
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= 2:
        pass
    os.close(descriptor)
