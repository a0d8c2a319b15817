"""What the files of a credential are called: a name that people recognize, and that stays in its folder."""

from __future__ import annotations

import unicodedata

from tlscomm.failures import printable

__all__ = ["checkedStem", "fileStem"]

#: As mkcert, for one: signs that are none in the names of files on Windows, or that shells expand.
_REPLACED = str.maketrans(dict.fromkeys(':<>"|?', "_") | {"*": "_wildcard"})
#: Names of files that an authority has in its folder, and how those of others begin or end.
_TAKEN = ("ca", "crl", "issued", "con", "nul", "aux", "prn")
_LONGEST = 150


def fileStem(name: str) -> str:
    """Return what the files are called that are issued for a name, without their endings."""
    return unicodedata.normalize("NFC", name).translate(_REPLACED)


def checkedStem(name: str) -> str:
    """Return the same where it can be the name of files that belong to no other.

    Raises:
        ValueError: it would lead out of the folder, hide, or be taken for another's.
    """
    stem, shown = fileStem(name), repr(printable(name))
    if not stem or not stem.isprintable() or stem != stem.strip():
        raise ValueError(f"{shown} is no name for files: it is empty, or has what cannot be seen")
    if "/" in stem or "\\" in stem:
        raise ValueError(f"{shown} is no name for files: it would lead to another folder (--file NAME names them)")
    if stem[0] in ".-" or stem[-1] == ".":
        raise ValueError(f"{shown} is no name for files: it begins or ends with a sign that has a meaning of its own")
    if stem.lower() in _TAKEN or stem.lower().endswith(("-with-key", "-crl", "-issued")):
        raise ValueError(f"{shown} is what files of an authority are called; choose another name (--file NAME)")
    if len(stem.encode()) > _LONGEST:
        raise ValueError(f"{shown} is too long for a name of files: {_LONGEST} bytes are the most (--file NAME)")
    return stem
