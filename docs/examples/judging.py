"""Judges certificates without a connection.

python judging.py
"""

from datetime import datetime, timedelta, timezone

from tlscomm import Authority
from tlscomm.verification import Trust, Verifier

root = Authority.create("root", organization="Example")
services = root.intermediate("services", organization="Example")
server = services.issue("server", role="server", dnsNames=["server.example"])

verifier = Verifier(
    peerRole="server",
    serverName="server.example",
    trust=Trust((root.certificate,)),
    profile="strict",
)

sent = [server.certificate, services.certificate]
later = datetime.now(timezone.utc) + timedelta(days=1000)
for presented, moment in ((sent, None), (sent[:1], None), (sent, later)):
    judgement = verifier.verify(presented, at=moment)
    if judgement.problems:
        print("refused:", *(f"{problem.code} at {problem.depth}" for problem in judgement.problems))
    else:
        print("accepted:", *(certificate.subject.rfc4514_string() for certificate in judgement.chain))
