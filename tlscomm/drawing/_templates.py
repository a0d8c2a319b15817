"""What pages and pictures are made with: Jinja's templates, in which nothing of a peer can become markup.

Jinja escapes what is put into a template, and before that each text is made printable and is cut, here and for all of
them, so that no place can forget it. Jinja is loaded when something is drawn.
"""

from __future__ import annotations

import hashlib
from base64 import b64encode
from functools import cache
from typing import TYPE_CHECKING

from tlscomm.failures import printable

if TYPE_CHECKING:
    from jinja2 import Environment

__all__ = ["render", "styleHash", "styleSheet"]

#: Characters of one text, however long it is.
_LONGEST = 1000


def render(template: str, **values: object) -> str:
    """Return a template of this package with its values in it.

    Args:
        template: its name.
        values: what it is about. Each text in them may come from a peer.
    """
    return _environment().get_template(template).render(values)


@cache
def styleSheet(*names: str) -> str:
    """Return style sheets of this package as one, to be put into what is drawn as it is."""
    from markupsafe import Markup

    environment = _environment()
    assert environment.loader is not None
    return Markup("").join(Markup(environment.loader.get_source(environment, name)[0]) for name in names)


def styleHash(sheet: str) -> str:
    """Return what a Content-Security-Policy calls a style sheet, so that it allows this one and no other."""
    return "sha256-" + b64encode(hashlib.sha256(sheet.encode()).digest()).decode()


@cache
def _environment() -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    return Environment(
        loader=PackageLoader("tlscomm.drawing", "templates"),
        autoescape=True,
        finalize=_finalized,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _finalized(value: object) -> object:
    """Return a text as it may be shown. What a template itself has made is of a type of its own, and left alone."""
    return printable(value, _LONGEST) if type(value) is str else value
