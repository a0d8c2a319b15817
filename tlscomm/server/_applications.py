"""What a server does with the messages: the two applications that come along, and how to name one's own.

A server without an application of its own is still good for trying out certificates, so ``echo`` and ``greet`` are
here. Any other is named as ``package.module:name``. What is found there is most often a class that extends
`MessageProtocol`; it may as well be any factory of Twisted's, so that a web site or an AMP service can be behind the
same options.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Callable
from typing import Any, cast

from twisted.internet.interfaces import IProtocol, IProtocolFactory, IReactorTime
from twisted.internet.protocol import Factory

from tlscomm.failures import printable
from tlscomm.messages import Message, MessageFactory, MessageProtocol
from tlscomm.verification import Hook

__all__ = ["APPLICATIONS", "Echo", "Greet", "applicationNamed", "factoryFor", "hookNamed"]


class Echo(MessageProtocol):
    """Returns each message."""

    messageReceived = MessageProtocol.sendMessage


class Greet(MessageProtocol):
    """Answers each message with one greeting, as the source document's server does."""

    def messageReceived(self, message: Message) -> None:
        self.sendMessage("Hello from the server.")


#: The applications that need no module.
APPLICATIONS: dict[str, type[MessageProtocol]] = {"echo": Echo, "greet": Greet}


def applicationNamed(name: str) -> object:
    """Return what a name stands for.

    The folder in which the program was started is searched last, so that a server of one file needs no installation.

    Args:
        name: a key of `APPLICATIONS`, or ``package.module:name``; the name after the colon may have dots.

    Raises:
        ValueError: there is no such application, or its module cannot be imported; the message says why.
    """
    if name in APPLICATIONS:
        return APPLICATIONS[name]
    if not _isPath(name):
        raise ValueError(f"no application is named {name!r}; there are {', '.join(APPLICATIONS)}, and module:name")
    return _found(name)


def hookNamed(name: str) -> Hook:
    """Return the hook (`tlscomm.verification`) that a name stands for, which is looked for as an application is.

    Args:
        name: ``package.module:name``.

    Raises:
        ValueError: there is none, or its module cannot be imported, or it cannot be called; the message says why.
    """
    if not _isPath(name):
        raise ValueError(f"a hook is named as package.module:name, not {printable(repr(name))}")
    hook = _found(name)
    if not callable(hook) or isinstance(hook, type):
        raise ValueError(f"{name} is {printable(repr(hook))}, and a hook is a function or another object to call")
    return cast("Hook", hook)


def factoryFor(
    application: object,
    *,
    framing: str = "eof",
    maximumMessage: int = 1 << 20,
    readTimeout: float | None = 5.0,
    clock: IReactorTime | None = None,
) -> IProtocolFactory:
    """Return the factory that serves an application.

    Args:
        application: a class that extends `MessageProtocol`; or another class of protocols; or a protocol factory; or
            what returns one of these when it is called without arguments.
        framing: for a class that extends `MessageProtocol`, as are the others; what else there is has its own.
        maximumMessage: bytes.
        readTimeout: seconds, or None for ever.
        clock: tells the time; the reactor where None.

    Raises:
        ValueError: it is none of these.
    """
    if not _isServable(application) and callable(application):
        application = _call(application)
    if isinstance(application, type) and issubclass(application, MessageProtocol):
        return MessageFactory(
            application, framing=framing, maximumMessage=maximumMessage, readTimeout=readTimeout, clock=clock
        )
    if IProtocolFactory.providedBy(application):
        return application
    if _isProtocolClass(application):
        return Factory.forProtocol(cast(Any, application))
    raise ValueError(f"{printable(repr(application))} is neither a class of protocols nor a protocol factory")


def _isServable(application: object) -> bool:
    return IProtocolFactory.providedBy(application) or _isProtocolClass(application)


def _isProtocolClass(application: object) -> bool:
    return isinstance(application, type) and IProtocol.implementedBy(application)


def _call(application: Callable[[], object]) -> object:
    try:
        return application()
    except Exception as problem:
        raise ValueError(f"{printable(repr(application))} cannot be called: {printable(repr(problem))}") from problem


def _isPath(name: str) -> bool:
    module, colon, path = name.partition(":")
    return bool(module and colon and path)


def _found(name: str) -> object:
    module, _, path = name.partition(":")
    found = _import(module)
    for part in path.split("."):
        if (found := getattr(found, part, None)) is None:
            raise ValueError(f"the module {module} has no {path!r}")
    return found


def _import(module: str) -> object:
    here = os.getcwd()
    if here not in sys.path:
        sys.path.append(here)
    try:
        return importlib.import_module(module)
    except Exception as problem:
        # Whatever a module does wrong while it is imported, a server that was to run it cannot start.
        raise ValueError(f"the module {module} cannot be imported: {printable(repr(problem))}") from problem
