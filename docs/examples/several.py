"""A server with a certificate for each of two names, and what it shows to whom.

python several.py
"""

from tlscomm import Authority, ClientConfiguration, ServerConfiguration
from tlscomm.tls import handshake

authority = Authority.create("example")
roots = (authority.certificate,)
first, second = (authority.issue(name, role="server", dnsNames=[name]) for name in ("a.example", "b.example"))

several = ServerConfiguration(credential=first, others=(second,))

for name in ("a.example", "b.example", "c.example"):
    client, server = handshake(ClientConfiguration(serverName=name, roots=roots), several)
    print(name, client.failure.code if client.failure else server.facts.choice.reason, sep=": ")
