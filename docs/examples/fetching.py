"""treq with a client certificate, and what a request fails with.

python fetching.py 8443 hello
"""

import sys

import treq
from twisted.internet.task import react

from tlscomm import loadCertificates, loadCredential
from tlscomm.web import agentFor, failureIn


async def main(reactor, port, path):
    agent = agentFor(
        reactor,
        ["localhost"],
        credential=loadCredential("certs/client.pfx"),
        roots=loadCertificates("certs/ca.pem"),
    )
    client = treq.client.HTTPClient(agent)
    try:
        response = await client.get(f"https://localhost:{port}/{path}")
        print(response.code, (await response.text()).strip())
    except Exception as error:
        if (failure := failureIn(error)) is None:
            raise
        sys.exit(f"{failure.code}: {failure.nextStep}")


if __name__ == "__main__":
    react(main, sys.argv[1:])
