"""Failures of our own credential, before any network."""

from __future__ import annotations

from tlscomm.failures._failure import CredentialFailure

__all__ = [
    "Ambiguous",
    "Damaged",
    "FileNotFound",
    "KeyMismatch",
    "NoPrivateKey",
    "NotExportable",
    "NotInStore",
    "PassphraseRequired",
    "PassphraseWrong",
    "StoreReadOnly",
    "UnknownFormat",
    "Unreadable",
    "UnsafePermissions",
]


class Ambiguous(CredentialFailure):
    """More than one certificate fits a search that needs exactly one."""

    code = "ambiguous"
    summary = "more than one certificate fits"
    ours = "Narrow the search, by thumbprint for one; the detail lists what was found."
    theirs = ours
    reproduce = "Search a store for a subject that two of its certificates have."


class Damaged(CredentialFailure):
    """A file is of a known format, and broken."""

    code = "damaged"
    summary = "the file is damaged"
    ours = "Fetch or export the file again; compare its size and checksum with the original."
    theirs = ours
    reproduce = "Cut a PFX file off in the middle and load it."


class FileNotFound(CredentialFailure):
    """A file that was named does not exist."""

    code = "file-not-found"
    summary = "there is no such file"
    ours = "Check the path. A relative path starts at the folder that the program was started in."
    theirs = ours
    reproduce = "Name a file that does not exist."


class KeyMismatch(CredentialFailure):
    """The private key does not belong to the certificate."""

    code = "key-mismatch"
    summary = "the private key does not belong to our certificate"
    ours = "Use the key that the certificate was requested with, or request a new certificate for this key."
    theirs = ours
    reproduce = "Load the certificate of one credential with the key of another."


class NoPrivateKey(CredentialFailure):
    """A private key is needed and there is none."""

    code = "no-private-key"
    summary = "there is no private key for our certificate"
    ours = (
        "Name the key's file (--key FILE), or use a PFX that was exported with its private key. A CER or P7B file "
        "never has one."
    )
    theirs = ours
    reproduce = "Start a server with a certificate file that holds no key."


class NotExportable(CredentialFailure):
    """The store's entry is marked so that its key may not be exported."""

    code = "not-exportable"
    summary = "the private key is marked as not exportable"
    ours = "Import the credential again with its key marked as exportable, or export the certificate alone."
    theirs = ours
    reproduce = "Add a credential to a store as not exportable, then export it with its key."


class NotInStore(CredentialFailure):
    """Nothing in the certificate store fits the search."""

    code = "not-in-store"
    summary = "no certificate in the store fits"
    ours = "List the store (tlscomm store list) and check location, name and search."
    theirs = ours
    reproduce = "Search a store for a thumbprint that it does not hold."


class PassphraseRequired(CredentialFailure):
    """The file is encrypted and no pass phrase was given."""

    code = "passphrase-required"
    summary = "the file is encrypted and needs its pass phrase"
    ours = (
        "Give the pass phrase in a file (--passphrase-file), an environment variable (--passphrase-env) or an open "
        "file (--passphrase-fd), or as a credential of systemd's with the name tlscomm.passphrase."
    )
    theirs = ours
    reproduce = "Load an encrypted PFX without a pass phrase where there is no terminal."


class PassphraseWrong(CredentialFailure):
    """The pass phrase does not open the file."""

    code = "passphrase-wrong"
    summary = "the pass phrase does not open the file"
    ours = "Check the pass phrase, its character set, and that its file ends in at most one line end."
    theirs = ours
    reproduce = "Load an encrypted PFX with another file's pass phrase."


class StoreReadOnly(CredentialFailure):
    """The store was opened for reading and was asked to change."""

    code = "store-read-only"
    summary = "the certificate store is read-only"
    ours = "Open the store for reading and writing, as a user who may write to its folder."
    theirs = ours
    reproduce = "Open a store read-only and add a certificate to it."


class UnknownFormat(CredentialFailure):
    """The content is of no format that is known here."""

    code = "unknown-format"
    summary = "the file is of no format that is read here"
    ours = "PEM, DER and PKCS#12 (PFX) files are read. See what it is with: openssl asn1parse, or file FILE."
    theirs = ours
    reproduce = "Load a picture as a certificate."


class Unreadable(CredentialFailure):
    """The file exists and cannot be read."""

    code = "unreadable"
    summary = "the file cannot be read"
    ours = "Check the permissions of the file and its folders for the user that runs the program."
    theirs = ours
    reproduce = "Load a file that belongs to another user and has mode 0600."


class UnsafePermissions(CredentialFailure):
    """Others can read a private key."""

    code = "unsafe-permissions"
    summary = "others have access that they should not have"
    ours = "Make the file readable by its owner only: chmod 600 FILE. If it was readable for long, replace the key."
    theirs = ours
    reproduce = "Give a server a key file of mode 0644."
