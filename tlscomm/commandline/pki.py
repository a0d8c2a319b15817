"""``tlscomm pki``: certificates of one's own, for development.

Without them no user can try anything, and a user who cannot try switches verification off.
"""

from __future__ import annotations

import click

from tlscomm.commandline._groupedhelp import GroupOfCommands
from tlscomm.commandline._pkigallery import gallery
from tlscomm.commandline._pkiinit import init
from tlscomm.commandline._pkiissue import issue
from tlscomm.commandline._pkilist import listIssued
from tlscomm.commandline._pkioptions import NOT_PUBLIC
from tlscomm.commandline._pkirevoke import crl, revoke
from tlscomm.commandline._pkisign import sign
from tlscomm.commandline._renewing import renew

__all__ = ["group"]


@click.group("pki", cls=GroupOfCommands, epilog=NOT_PUBLIC)
def group() -> None:
    """Make certificates of your own, renew and revoke them."""


for _command in (init, issue, sign, renew, revoke, crl, listIssued, gallery):
    group.add_command(_command)
