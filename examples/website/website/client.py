import sys

import treq
from twisted.internet.task import react

from tlscomm import loadCertificates, loadCredential
from tlscomm.web import agentFor, failureIn


async def main(reactor, name, note=None, port="8443"):
    agent = agentFor(
        reactor,
        ["localhost"],  # the only host that is shown the certificate
        credential=loadCredential(f"certs/{name}.pfx"),
        roots=loadCertificates("certs/ca.pem"),
    )
    client = treq.client.HTTPClient(agent)
    where = f"https://localhost:{port}/notes"
    try:
        response = await (client.get(where) if note is None else client.post(where, data=note.encode()))
    except Exception as error:
        if (failure := failureIn(error)) is None:
            raise
        sys.exit(f"{failure}\n{failure.nextStep}")
    print(await response.text(), end="")


if __name__ == "__main__":
    react(main, sys.argv[1:])
