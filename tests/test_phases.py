"""A transport says in which phase it is, and the table of the phases says what it does."""

from __future__ import annotations

from conversation import STRANGER, ConversationCase
from drawntables import drawnTable
from hooks import Slow
from twisted.trial.unittest import SynchronousTestCase

from tlscomm.tls import State
from tlscomm.tls import _state as states
from tlscomm.transport import Phase
from tlscomm.transport import _phases as phases
from tlscomm.transport._phases import GOES_ON_TO


class TableTests(SynchronousTestCase):
    """What is drawn for readers is what is."""

    def test_phases(self) -> None:
        """The table that readers see has every phase, with the phases that it may go on to."""
        _, *rows = drawnTable(phases)
        drawn = {name: [] if others == "none" else others.split(", ") for name, _, others in rows}
        self.assertEqual(drawn, {phase.name: [other.name for other in others] for phase, others in GOES_ON_TO.items()})
        self.assertEqual(set(drawn), set(Phase.__members__))

    def test_states(self) -> None:
        """The table of a connection without I/O has every state."""
        _, *rows = drawnTable(states)
        self.assertEqual([name for name, *_ in rows], list(State.__members__))


class PhaseTests(ConversationCase):
    """The phases of whole lives, as programs see them."""

    def test_inOrder(self) -> None:
        for version in ("1.2", "1.3"):
            conversation = self.conversation(version)
            transport = conversation.client.transport
            self.assertPhase(transport, Phase.HANDSHAKE, connected=False, disconnecting=False)
            conversation.flush()
            self.assertPhase(transport, Phase.OPEN, connected=True, disconnecting=False)
            transport.pauseProducing()
            transport.write(b"x" * (1 << 20))
            transport.loseConnection()
            self.assertPhase(transport, Phase.FLUSHING, connected=True, disconnecting=True)
            conversation.link.toServer()
            while transport.phase is Phase.FLUSHING:
                conversation.link.toServer()
            self.assertPhase(transport, Phase.CLOSING, connected=True, disconnecting=True)
            conversation.flush()
            self.assertPhase(transport, Phase.LOST, connected=False, disconnecting=True)

    def test_asking(self) -> None:
        hook = Slow()
        conversation = self.opened("1.3", server={"hook": hook})
        self.assertPhase(conversation.server.transport, Phase.ASKING, connected=False, disconnecting=False)
        self.assertPhase(conversation.client.transport, Phase.UNCONFIRMED, connected=False, disconnecting=False)
        hook.answer()
        conversation.flush()
        self.assertPhase(conversation.server.transport, Phase.OPEN, connected=True, disconnecting=False)
        self.assertPhase(conversation.client.transport, Phase.OPEN, connected=True, disconnecting=False)

    def test_refused(self) -> None:
        conversation = self.conversation(client={"credential": STRANGER.issue("client", role="client")})
        transport = conversation.server.transport
        while transport.phase is Phase.HANDSHAKE:
            conversation.link.toClient()
            conversation.link.toServer()
        self.assertPhase(transport, Phase.LINGERING, connected=False, disconnecting=True)
        conversation.flush()
        self.assertPhase(transport, Phase.LOST, connected=False, disconnecting=True)

    def test_aborted(self) -> None:
        conversation = self.opened()
        transport = conversation.client.transport
        transport.abortConnection()
        self.assertPhase(transport, Phase.ABORTED, connected=True, disconnecting=True)
        conversation.flush()
        self.assertPhase(transport, Phase.LOST, connected=False, disconnecting=True)

    def assertPhase(self, transport: object, phase: Phase, *, connected: bool, disconnecting: bool) -> None:
        """The transport is in this phase, and says the same in Twisted's words."""
        found = [getattr(transport, name) for name in ("phase", "connected", "disconnecting")]
        self.assertEqual(found, [phase, connected, disconnecting])
