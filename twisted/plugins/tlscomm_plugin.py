from twisted.application.service import ServiceMaker

from tlscomm.endpoints._strings import TLSCommClientParser, TLSCommServerParser

service = ServiceMaker(
    "tlscomm", "tlscomm.server", "Serve messages over TLS with certificates on both sides.", "tlscomm"
)
clientParser = TLSCommClientParser()
serverParser = TLSCommServerParser()
