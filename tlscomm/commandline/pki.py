"""``tlscomm pki``: certificates of one's own, for development.

Without them no user can try anything, and a user who cannot try switches verification off.
"""

from __future__ import annotations

import click

from tlscomm.commandline._groupedhelp import GroupOfCommands
from tlscomm.commandline._pkigallery import gallery
from tlscomm.commandline._pkiinit import init
from tlscomm.commandline._renewing import renew

__all__ = ["group"]


@click.group("pki", cls=GroupOfCommands)
def group() -> None:
    """Make certificates for development and tests, and renew them."""


for _command in (init, gallery, renew):
    group.add_command(_command)
