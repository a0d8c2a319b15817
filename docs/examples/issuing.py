"""An authority of one's own: it issues a credential, and withdraws it.

python issuing.py
"""

from pathlib import Path

from cryptography.hazmat.primitives.serialization import Encoding

from tlscomm import Authority, loadCredential
from tlscomm.credentials import writeCredential

root = Authority.create("example root", organization="Example")
services = root.intermediate("example services", organization="Example")
billing = services.issue("billing", role="client", uris=["spiffe://example.org/billing"])

# The root's certificate goes to every peer, its key to none.
Path("root.pem").write_bytes(root.certificate.public_bytes(Encoding.PEM))

# For the client: its key, its certificate, and the intermediate that it has to send along.
writeCredential(billing, "billing.pfx", "pfx", passphrase=b"a pass phrase")

loaded = loadCredential("billing.pfx", passphrase=b"a pass phrase")
print(loaded, [certificate.subject.rfc4514_string() for certificate in loaded.chain])

# It was stolen: this file, given to the servers, keeps it out. Each authority of the chain needs its list.
revoked = services.revocationList([billing.certificate.serial_number], number=2)
others = root.revocationList(number=2)
Path("revoked.pem").write_bytes(revoked.public_bytes(Encoding.PEM) + others.public_bytes(Encoding.PEM))
