"""A service of one's own, with its own options and companions: ``twistd -ny greeter.tac``"""

from twisted.application.service import Application
from twisted.application.strports import service

from tlscomm.server import Greet
from tlscomm import MessageFactory

place = "tlscomm:8443:interface=127.0.0.1:identity=certs/server.pfx:clientRoots=certs/ca.pem"

application = Application("greeter")
service(place, MessageFactory(Greet, framing="line")).setServiceParent(application)
