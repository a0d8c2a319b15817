"""Issues certificates to devices: ``python -m devices.enroll 20``."""

import sys
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from tlscomm import Authority
from tlscomm.credentials import writeCredential

DOMAIN = "spiffe://example.org/device"


def authorityIn(folder):
    """Return the authority that ``tlscomm pki init`` has made."""
    certificate = x509.load_pem_x509_certificate(Path(folder, "ca.pem").read_bytes())
    return Authority(certificate, load_pem_private_key(Path(folder, "ca.key").read_bytes(), password=None))


def enroll(authority, number):
    """Return a credential for a device. Its key would be made on the device itself, and never leave it."""
    return authority.issue(f"device {number:04}", role="client", uris=[f"{DOMAIN}/{number:04}"], days=30)


def main(count, folder="certs"):
    authority = authorityIn(folder)
    for number in range(1, int(count) + 1):
        path = Path(folder, f"device-{number:04}.pem")
        writeCredential(enroll(authority, number), path, "pem", insecureUnencryptedKey=True)
    print(f"{count} devices have certificates in {folder}")


if __name__ == "__main__":
    main(*sys.argv[1:])
