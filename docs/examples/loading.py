"""Credentials from files of every kind.

python loading.py
"""

from tlscomm import loadCertificates, loadCredential

# All in one file, which may be encrypted.
server = loadCredential("certs/server.pfx", passphrase=b"")

# Certificate and key apart.
same = loadCredential("certs/server.pem", key="certs/server.key")

# A certificate alone can be looked at; it becomes `no-private-key` where a key is needed.
alone = loadCredential("certs/server.cer")

# Whom to trust: a file, or a folder of files.
roots = loadCertificates("certs/ca.pem")

print(server, alone, roots[0].subject.rfc4514_string(), sep="\n")
