import sys

from twisted.internet.defer import Deferred
from twisted.internet.task import react
from twisted.python.log import startLogging
from twisted.web.resource import Resource
from twisted.web.server import Site

from tlscomm import AccessRules, TLSServerEndpoint, loadCertificates, loadCredential
from tlscomm.web import PUBLIC, AccessByPath, peerOf

# Who may ask for what. The longest prefix counts.
RULES = {
    "/": AccessRules(),  # each caller with a certificate of our authority
    "/admin": ["dns=operator"],
    "/health": PUBLIC,  # a caller without a certificate too
}

MOST_NOTES, LONGEST_NOTE = 100, 1000


class Notes(Resource):
    """A caller's own notes, under the name in its certificate."""

    isLeaf = True

    def __init__(self, notes):
        super().__init__()
        self.notes = notes

    def render_GET(self, request):
        return "".join(f"{note}\n" for note in self.notes.get(callerOf(request), ())).encode()

    def render_POST(self, request):
        note = request.content.read(LONGEST_NOTE + 1).decode(errors="replace").strip()
        mine = self.notes.setdefault(callerOf(request), [])
        if not note or len(note) > LONGEST_NOTE or len(mine) >= MOST_NOTES:
            request.setResponseCode(413)
            return b"a note has 1 to 1000 characters, and a caller has 100 notes\n"
        mine.append(note)
        return b"noted\n"


class Callers(Resource):
    """How many notes each caller has, for the operator."""

    isLeaf = True

    def __init__(self, notes):
        super().__init__()
        self.notes = notes

    def render_GET(self, request):
        return "".join(f"{caller} {len(notes)}\n" for caller, notes in sorted(self.notes.items())).encode()


class Text(Resource):
    isLeaf = True

    def __init__(self, text):
        super().__init__()
        self.text = text

    def render_GET(self, request):
        return self.text(request).encode()


def callerOf(request):
    # What the rules let through without a certificate is /health alone.
    return peerOf(request).dnsNames[0]


def site(clock=None):
    notes = {}
    admin = Resource()
    admin.putChild(b"callers", Callers(notes))
    root = Resource()
    root.putChild(b"", Text(lambda request: f"hello {callerOf(request)}\n"))
    root.putChild(b"notes", Notes(notes))
    root.putChild(b"admin", admin)
    root.putChild(b"health", Text(lambda request: "well\n"))
    return Site(AccessByPath(root, RULES), reactor=clock)


async def main(reactor, port="8443"):
    startLogging(sys.stdout)
    endpoint = TLSServerEndpoint.onPort(
        reactor,
        int(port),
        interface="127.0.0.1",
        credential=loadCredential("certs/server.pfx"),
        clientRoots=loadCertificates("certs/ca.pem"),
        clientCertificates="requested",
    )
    await endpoint.listen(site(reactor))
    await Deferred()  # for ever


if __name__ == "__main__":
    react(main, sys.argv[1:])
