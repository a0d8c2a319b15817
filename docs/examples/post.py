"""Letters between clients, whichever of several servers each of them is connected to. Redis has those that wait.

As an application, on each server: twistd -n tlscomm --application post:Post --framing line --read-timeout 0 ...
As a client: python post.py HOST PORT TO TEXT
"""

import json
import os
import sys
import uuid
from functools import cache

from twisted.internet.defer import Deferred
from twisted.internet.endpoints import HostnameEndpoint
from twisted.internet.task import react

from tlscomm import (
    MessageFactory,
    MessageProtocol,
    TLSClientEndpoint,
    TLSClientService,
    loadCertificates,
    loadCredential,
)

#: As many letters may wait for one client.
MOST = 1000


class Post(MessageProtocol):
    """A server's side. A letter is kept until its receiver has said that it has come: none is lost by a restart."""

    def connectionMade(self):
        self.name = self.transport.peer.commonName
        self.inbox, self.sent = f"inbox:{self.name}", {}
        office().here.setdefault(self.name, set()).add(self)
        # Who only listens knows by it that it was accepted, whenever this server ends the connection.
        self.sendMessage(json.dumps({"welcome": self.name}))
        office().bring(self)

    def connectionLost(self, reason):
        super().connectionLost(reason)
        office().here[self.name].discard(self)

    async def messageReceived(self, message):
        said = json.loads(message)
        if "seen" in said:
            await office().redis.lrem(self.inbox, 1, self.sent.pop(said["seen"], ""))
            return
        inbox = f"inbox:{said['to']}"
        if await office().redis.llen(inbox) >= MOST:
            self.sendMessage(json.dumps({"refused": said["id"]}))
            return
        await office().redis.rpush(inbox, json.dumps({"id": said["id"], "from": self.name, "text": said["text"]}))
        await office().redis.publish("letters", said["to"])
        self.sendMessage(json.dumps({"taken": said["id"]}))

    async def deliver(self):
        for letter in await office().redis.lrange(self.inbox, 0, MOST):
            if (number := json.loads(letter)["id"]) not in self.sent:
                self.sent[number] = letter
                self.sendMessage(letter)


class Office:
    """What the connections of one process share: one connection to Redis for commands, and one for news of letters."""

    def __init__(self):
        # Both connect again by themselves. While Redis is away, letters wait with those who have written them.
        import txredisapi
        from twisted.internet import reactor

        office = self
        host, _, port = os.environ.get("REDIS", "127.0.0.1:6379").rpartition(":")

        class News(txredisapi.SubscriberProtocol):
            def connectionMade(self):
                self.subscribe("letters")
                # What came while there was no connection was told to nobody here.
                for clients in office.here.values():
                    for client in clients:
                        office.bring(client)

            def messageReceived(self, pattern, channel, name):
                for client in office.here.get(name, ()):
                    office.bring(client)

        self.here = {}
        self.redis = txredisapi.lazyConnection(host, int(port))
        news = txredisapi.SubscriberFactory()
        news.protocol = News
        news.startConnecting(HostnameEndpoint(reactor, host, int(port)))

    def bring(self, client):
        Deferred.fromCoroutine(client.deliver()).addErrback(lambda _: client.loseConnection())


office = cache(Office)


class Correspondent(MessageProtocol):
    """A client's side. What was not taken when a connection ends is said again on the next one."""

    isAwaiting = False

    def connectionMade(self):
        for letter in self.factory.outgoing.values():
            self.sendMessage(json.dumps(letter))

    def messageReceived(self, message):
        said = json.loads(message)
        if "text" in said:
            # It comes twice where our word that it has come was lost.
            if said["id"] not in self.factory.seen:
                self.factory.seen.add(said["id"])
                self.factory.received(said["from"], said["text"])
            self.sendMessage(json.dumps({"seen": said["id"]}))
        else:
            self.factory.outgoing.pop(said.get("taken") or said.get("refused"), None)


class Correspondence(MessageFactory):
    """A client that stays connected, over whatever happens to the servers."""

    def __init__(self, received):
        super().__init__(Correspondent, framing="line", readTimeout=None)
        self.received, self.outgoing, self.seen, self.current = received, {}, set(), None

    def buildProtocol(self, addr):
        self.current = super().buildProtocol(addr)
        return self.current

    def write(self, to, text):
        letter = {"id": str(uuid.uuid4()), "to": to, "text": text}
        self.outgoing[letter["id"]] = letter
        if self.current is not None and self.current.connected:
            self.current.sendMessage(json.dumps(letter))


async def main(reactor, host, port, to, text):
    known = {"roots": loadCertificates("certs/ca.pem"), "credential": loadCredential("certs/client.pfx")}
    correspondence = Correspondence(lambda sender, text: print(f"{sender}: {text}", flush=True))
    endpoint = TLSClientEndpoint.toHost(reactor, host, int(port), **known)
    TLSClientService(endpoint, correspondence).startService()
    correspondence.write(to, text)
    await Deferred()


if __name__ == "__main__":
    react(main, sys.argv[1:])
