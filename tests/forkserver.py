"""Programs in Python for the tests, without the second that each of them would import before it begins.

A server imports once what all of them use, and forks. In a test's command, `python` takes the place of the interpreter:
it names a small program that hands its arguments, folder, environment and files to the server, passes signals on, and
ends as the forked program has ended. So what starts it, be it `subprocess`, Twisted or a shell, sees an ordinary
program. A forked program has no terminal of its own, does not import anything anew, and has the server's locale and
limits: tests of these start an interpreter of their own.
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import importlib
import io
import os
import pkgutil
import runpy
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import types
import warnings
from functools import cache
from pathlib import Path
from typing import Any

__all__ = ["python"]

#: What a test calls the interpreter: it runs without site-packages, so that it starts within some milliseconds.
_LAUNCHER = """
import os, signal, socket, sys

server = socket.socket(socket.AF_UNIX)
server.connect(sys.argv[1])
for number in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM):
    signal.signal(number, lambda number, _: server.send(bytes([number])))
variables = [b"=".join(pair) for pair in os.environb.items()]
words = [os.fsencode(word) for word in sys.argv[2:]]
request = b"\\0".join([os.getcwdb(), b"%d" % len(words), *words, *variables])
socket.send_fds(server, [len(request).to_bytes(4, "big")], [0, 1, 2])
server.sendall(request)
# Streams are to end where the program closes them.
null = os.open(os.devnull, os.O_RDWR)
for file in range(3):
    os.dup2(null, file)
status = int.from_bytes(server.recv(4), "big")
if os.WIFSIGNALED(status):
    signal.signal(os.WTERMSIG(status), signal.SIG_DFL)
    os.kill(os.getpid(), os.WTERMSIG(status))
os._exit(os.waitstatus_to_exitcode(status))
"""

#: What programs of the tests import besides the package. Nothing of it may import the reactor, which is theirs.
_IMPORTED = (
    *("twisted.plugin", "twisted.protocols.amp", "twisted.protocols.basic", "twisted.scripts.twistd"),
    *("twisted.web.client", "twisted.web.resource", "twisted.web.server"),
)


def python(*words: str | Path) -> tuple[str, ...]:
    """Return a command that does what an interpreter does with ``-u``, ``-W error``, ``-c``, ``-m`` or a file."""
    return (sys.executable, "-S", "-E", "-c", _LAUNCHER, _startServer(), *map(str, words))


@cache
def _startServer() -> str:
    """Start the server, which ends with this process, and return the path of its socket."""
    path = os.path.join(tempfile.mkdtemp(prefix="tlscomm-forkserver-"), "socket")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen(100)
        descriptor = listener.fileno()
        server = subprocess.Popen(
            (sys.executable, __file__, str(descriptor), path),
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            pass_fds=[descriptor],
        )
    # It reads the end of its standard input, also where this process is killed.
    atexit.register(server.communicate)
    return path


def _serve(descriptor: int, path: str) -> list[str] | None:
    """Fork until standard input ends.

    Returns:
        In a forked program its arguments; in the server, at its end, None.
    """
    _importAll()
    signal.signal(signal.SIGINT, signal.default_int_handler)
    with socket.socket(fileno=descriptor) as listener:
        while True:
            ready, _, _ = select.select([0, listener], [], [])
            if 0 in ready:
                shutil.rmtree(os.path.dirname(path))
                return None
            connection, _ = listener.accept()
            # As a parent it answers for their time, and for their end.
            with contextlib.suppress(ChildProcessError):
                while os.waitpid(-1, os.WNOHANG)[0]:
                    pass
            with connection:
                if os.fork() == 0:
                    listener.close()
                    return _fork(connection)


def _importAll() -> None:
    import tlscomm

    ours = (module.name for module in pkgutil.walk_packages(tlscomm.__path__, "tlscomm."))
    for name in (*_IMPORTED, *(name for name in ours if not name.endswith("__main__"))):
        importlib.import_module(name)
    if "twisted.internet.reactor" in sys.modules:
        raise AssertionError("forked programs would share a reactor")
    gc.freeze()


def _fork(connection: socket.socket) -> list[str]:
    """Fork the program that a launcher asks for, and return its arguments in it; here, tell the launcher of its end."""
    size, files, _, _ = socket.recv_fds(connection, 4, 3)
    request = b""
    while len(request) < int.from_bytes(size, "big"):
        request += connection.recv(1 << 20)
    ended, wake = os.pipe()
    os.set_blocking(wake, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(wake)
    if program := os.fork():
        for file in files:
            os.close(file)
        _watch(program, connection, ended)
        os._exit(0)
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    connection.close()
    for number, file in enumerate(files):
        os.dup2(file, number)
    for file in (ended, wake, *files):
        os.close(file)
    folder, count, *rest = request.split(b"\0")
    os.chdir(folder)
    os.environb.clear()
    os.environb.update(dict(variable.split(b"=", 1) for variable in rest[int(count) :]))
    return [os.fsdecode(word) for word in rest[: int(count)]]


def _watch(program: int, connection: socket.socket, ended: int) -> None:
    """Pass signals on until the program has ended, and say how; kill it when its launcher is gone."""
    while True:
        ready, _, _ = select.select([connection, ended], [], [])
        done, status = os.waitpid(program, os.WNOHANG)
        if done:
            # A launcher that was killed does not listen.
            with contextlib.suppress(OSError):
                connection.sendall(status.to_bytes(4, "big"))
            return
        if connection in ready:
            for number in connection.recv(100) or (signal.SIGKILL,):
                os.kill(program, number)
        if ended in ready:
            os.read(ended, 100)


def _run(words: list[str]) -> None:
    """Do as the interpreter does with these arguments."""
    isUnbuffered = "-u" in words[:1]
    words = words[isUnbuffered:]
    if words[:2] == ["-W", "error"]:
        warnings.simplefilter("error")
        words = words[2:]
    sys.stdin = _stream(0, "rb", sys.stdin)
    sys.stdout = _stream(1, "wb", sys.stdout, isUnbuffered)
    sys.stderr = _stream(2, "wb", sys.stderr, isUnbuffered)
    kind, *rest = words
    if kind == "-m":
        sys.path[0] = os.getcwd()
        sys.argv = rest
        runpy.run_module(rest[0], run_name="__main__", alter_sys=True)
    elif kind == "-c":
        sys.path[0] = ""
        sys.argv = ["-c", *rest[1:]]
        sys.modules["__main__"] = module = types.ModuleType("__main__")
        exec(compile(rest[0], "<string>", "exec"), vars(module))
    else:
        sys.path[0] = os.path.dirname(kind)
        sys.argv = words
        runpy.run_path(kind, run_name="__main__")


def _stream(number: int, mode: str, before: Any, isUnbuffered: bool = False) -> io.TextIOWrapper:
    """Open a standard stream with the encoding that it had in the server."""
    binary: Any = os.fdopen(number, mode, 0 if isUnbuffered else -1, closefd=False)
    isTerminal = number == 2 or os.isatty(number)
    return io.TextIOWrapper(binary, before.encoding, before.errors, None, isTerminal, isUnbuffered)


if __name__ == "__main__" and (arguments := _serve(int(sys.argv[1]), sys.argv[2])):
    _run(arguments)
