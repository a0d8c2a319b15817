"""A credential out of a store as a file, in the forms that other programs read, and over nothing that is there."""

from __future__ import annotations

import os
from pathlib import Path

from tlscomm.credentials import Credential, exportCredential
from tlscomm.credentials._export import ExportFormat
from tlscomm.x509._files import File, writeFiles

__all__ = ["ENDINGS", "EXPORT_FORMATS", "KEYED_FORMS", "exported", "write"]

EXPORT_FORMATS: dict[str, ExportFormat] = {"pem": "pem", "pfx": "pfx", "pfx-legacy": "pfx", "p7b": "p7b", "cer": "cer"}

#: Those that hold the private key.
KEYED_FORMS = frozenset({"pem", "pfx", "pfx-legacy"})

#: What the ending of a file's name means where no form is given.
ENDINGS = {".pem": "pem", ".pfx": "pfx", ".p12": "pfx", ".p7b": "p7b", ".cer": "cer", ".crt": "cer", ".der": "cer"}


def exported(credential: Credential, form: str, passphrase: bytes) -> bytes:
    """Return a credential as the content of a file.

    Args:
        credential: what to export; without its key where that is to stay.
        form: as in `EXPORT_FORMATS`.
        passphrase: what is to open it; empty for none. The caller says to the person that there is none.

    Raises:
        NoPrivateKey: a PFX is a certificate with its key, and there is none.
        PassphraseRequired: the old form of PFX has none without a pass phrase.
    """
    return exportCredential(
        credential,
        EXPORT_FORMATS[form],
        passphrase=passphrase,
        legacy=form == "pfx-legacy",
        insecureUnencryptedKey=True,
    )


def write(path: Path, content: bytes, *, isSecret: bool, force: bool) -> None:
    """Write a file, whole or not at all.

    Raises:
        FileExistsError: it is there already, and ``force`` does not say that it may be replaced.
        OSError: it cannot be written.
    """
    if not force:
        # Looking first would leave a moment in which another program makes it.
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    try:
        writeFiles(path.parent, {path.name: File(content, isSecret)})
    except BaseException:
        if not force:
            path.unlink(missing_ok=True)
        raise
