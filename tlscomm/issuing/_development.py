"""The development authority: a folder of files that programs share.

It is made when it is first needed, renewed when it has expired, and the same for two processes that start at once.
"""

from __future__ import annotations

import errno
import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from os import PathLike
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from tlscomm._dataclasses import dataclass
from tlscomm.credentials import Credential, loadCertificates, loadCredential, usabilityProblems
from tlscomm.failures import TLSFailure, Unreadable, UnsafePermissions
from tlscomm.issuing._authority import Authority
from tlscomm.issuing._forms import Bundle, filesOf
from tlscomm.x509 import _encoding as _export
from tlscomm.x509._addresses import isAddress
from tlscomm.x509._extensions import extensionsOf
from tlscomm.x509._files import File, exclusively, makeFolder, writeFiles
from tlscomm.x509._issuers import hasIssued
from tlscomm.x509._roles import Role

__all__ = [
    "DEVELOPMENT_HOSTS",
    "DevelopmentAuthority",
    "ensureDevelopmentAuthority",
    "writeDevelopmentAuthority",
]

DEVELOPMENT_HOSTS = ("localhost", "127.0.0.1", "::1")
"""What a development server is called: the machine it runs on."""

_NAMES = (
    *("ca.pem", "ca.cer", "ca.key"),
    *("server.pem", "server.key", "server-with-key.pem", "server.pfx", "server.cer", "server.p7b"),
    *("client.pem", "client.key", "client-with-key.pem", "client.pfx", "client.cer", "client.p7b"),
)
#: The lock of a folder, and the sign that what lies in it may be replaced.
_MARK = ".tlscomm-development"
#: What is loaded now is to be used for a while.
_RENEWED_BEFORE = timedelta(days=1)


@dataclass(frozen=True)
class DevelopmentAuthority:
    """An authority for development with one credential for each side, in a folder.

    Every credential is there in every form, so that any program can be pointed at one:

    ========================================  ==================================================================
    ``ca.pem``, ``ca.cer``                    the authority's certificate, PEM and DER
    ``ca.key``                                its private key, which renews the credentials
    ``server.pem``, ``server.key``            the server's certificate, and its private key, PEM
    ``server-with-key.pem``                   the two in one file
    ``server.pfx``                            the two and the authority's certificate, PKCS#12
    ``server.cer``, ``server.p7b``            its certificate alone, DER; with the authority's, PKCS#7
    ``client.…``                              the same for the client
    ========================================  ==================================================================

    The PFX files have an empty pass phrase. The same keys lie beside them in the clear, so a pass phrase would protect
    nothing, and all who try something out would have to know it.

    Attributes:
        folder: where the files are.
        authority: the authority.
        server: for the hosts that it was made for.
        client: for a client.
    """

    folder: Path
    authority: Authority
    server: Credential
    client: Credential

    def path(self, name: str) -> Path:
        """Return where a file of this name is, ``client.pfx`` for one."""
        return self.folder / name


def ensureDevelopmentAuthority(
    folder: str | PathLike[str], *, hosts: Sequence[str] = DEVELOPMENT_HOSTS, now: datetime | None = None
) -> DevelopmentAuthority:
    """Load the development authority of a folder; make or renew it where it has to be.

    It is made where there is none. Credentials that have less than a day left are issued again by the same authority,
    so that who trusts it need not be told; what is incomplete or broken is, too. An authority that has less than a day
    left is replaced. Any number of processes may call this at once, and all get the same one.

    Args:
        folder: where it is. Made with mode 0700 where it does not exist; the mode of one that exists is left alone, the
            private keys in it are 0600 all the same.
        hosts: names and addresses of the server, where its credential has to be made; one that is made again keeps
            those that it had.
        now: the time to judge by; the present where None is given.

    Raises:
        UnsafePermissions: a private key has become readable by other users.
        Unreadable: a file may not be read.
        OSError: a file cannot be written; FileExistsError where one of these names is taken by another's file.
    """
    place = Path(folder)
    now = now or datetime.now(timezone.utc)
    found = _load(place, now)
    if found is not None:
        return found
    with _claimed(place):
        # Another process may have been first.
        if found := _load(place, now):
            return found
        kept = tuple(dict.fromkeys((*hosts, *_formerHosts(place))))
        return _write(place, _loadAuthority(place, now) or _newAuthority(now), kept, now)


def writeDevelopmentAuthority(
    folder: str | PathLike[str], *, hosts: Sequence[str] = DEVELOPMENT_HOSTS, now: datetime | None = None
) -> DevelopmentAuthority:
    """Make a new development authority in a folder, in place of one that is there.

    The arguments and what is raised are those of `ensureDevelopmentAuthority`.
    """
    place = Path(folder)
    now = now or datetime.now(timezone.utc)
    with _claimed(place):
        return _write(place, _newAuthority(now), hosts, now)


def _newAuthority(now: datetime) -> Authority:
    # Each has a name of its own: who goes by names takes two of one name for one authority with bad signatures.
    return Authority.create(organization=f"tlscomm development {secrets.token_hex(3)}", pathLength=0, now=now)


@contextmanager
def _claimed(place: Path) -> Iterator[None]:
    makeFolder(place, 0o700)
    mark = place / _MARK
    # A program that makes one of these files makes the mark first. In this order a mark that is missing was never made.
    taken = next((name for name in _NAMES if (place / name).exists()), None)
    if taken is not None and not mark.exists():
        raise FileExistsError(errno.EEXIST, "not made by tlscomm, so it is not overwritten", str(place / taken))
    with exclusively(mark):
        yield


def _load(place: Path, now: datetime) -> DevelopmentAuthority | None:
    authority = _loadAuthority(place, now)
    server = _loadCredential(place, "server", authority, now)
    client = _loadCredential(place, "client", authority, now)
    if authority is None or server is None or client is None or not all((place / name).exists() for name in _NAMES):
        return None
    return DevelopmentAuthority(place, authority, server, client)


def _loadAuthority(place: Path, now: datetime) -> Authority | None:
    credential = _loadPair(place, "ca")
    if credential is None or not isinstance(credential.privateKey, ec.EllipticCurvePrivateKey):
        return None
    return Authority(credential.certificate, credential.privateKey) if _mayIssue(credential, now) else None


def _loadCredential(place: Path, role: Role, authority: Authority | None, now: datetime) -> Credential | None:
    credential = _loadPair(place, role)
    if authority is None or credential is None or not _isUsable(credential, role, now):
        return None
    return credential if hasIssued(authority.certificate, credential.certificate) else None


def _loadPair(place: Path, name: str) -> Credential | None:
    try:
        return loadCredential(place / f"{name}.pem", key=place / f"{name}.key")
    except (Unreadable, UnsafePermissions):
        # For its owner to see to. Everything else is mended by making it again.
        raise
    except TLSFailure:
        return None


def _formerHosts(place: Path) -> tuple[str, ...]:
    """Return whom the server's certificate is for, expired or not; empty where there is none that can be read."""
    try:
        certificate = loadCertificates(place / "server.pem")[0]
        names = extensionsOf(certificate).get_extension_for_class(x509.SubjectAlternativeName).value
    except (TLSFailure, x509.ExtensionNotFound, ValueError):
        return ()
    addresses = (str(address) for address in names.get_values_for_type(x509.IPAddress))
    return (*names.get_values_for_type(x509.DNSName), *addresses)


def _mayIssue(credential: Credential, now: datetime) -> bool:
    # It signs certificates and no handshake, so its key usage is another than a server's.
    return all(problem.code == "wrong-purpose" for problem in _problems(credential, "server", now))


def _isUsable(credential: Credential, role: Role, now: datetime) -> bool:
    return not any(_problems(credential, role, now))


def _problems(credential: Credential, role: Role, now: datetime) -> Iterator[TLSFailure]:
    for moment in (now, now + _RENEWED_BEFORE):
        yield from usabilityProblems(credential, role, moment)


def _write(place: Path, authority: Authority, hosts: Sequence[str], now: datetime) -> DevelopmentAuthority:
    addresses = [host for host in hosts if isAddress(host)]
    names = [host for host in hosts if host not in addresses]
    server = authority.issue(hosts[0], role="server", dnsNames=names, addresses=addresses, now=now)
    # Strict verifiers refuse a certificate without alternative names, and access rules need one.
    client = authority.issue("tlscomm development client", role="client", dnsNames=("client.localhost",), now=now)
    writeFiles(
        place,
        {
            "ca.key": File(_export.keyPEM(authority.privateKey), isSecret=True),
            "ca.pem": File(_export.pem((authority.certificate,)), isSecret=False),
            "ca.cer": File(_export.cer(authority.certificate), isSecret=False),
            **_everyForm("server", server, authority),
            **_everyForm("client", client, authority),
        },
    )
    return DevelopmentAuthority(
        place,
        authority,
        replace(server, source=str(place / "server.pem")),
        replace(client, source=str(place / "client.pem")),
    )


def _everyForm(name: str, credential: Credential, authority: Authority) -> dict[str, File]:
    label = f"tlscomm development {name}"
    return filesOf(name, Bundle(label, credential.certificate, credential.privateKey, roots=(authority.certificate,)))
