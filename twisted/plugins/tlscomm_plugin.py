from twisted.application.service import ServiceMaker

from tlscomm._parsers import TLSCommClientParser, TLSCommServerParser

service = ServiceMaker("tlscomm", "tlscomm.tap", "Serve messages over TLS with certificates on both sides.", "tlscomm")
clientParser = TLSCommClientParser()
serverParser = TLSCommServerParser()
