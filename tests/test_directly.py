"""The tests of the way out and of ends, over Twisted's own TCP transports, which are written to directly."""

import test_output
import test_transport_ends
from conversation import ConversationCase
from directlink import DirectlyWritten

#: Promises about a transport that tells nothing of its buffers, and of one whose kernel takes nothing at all.
ELSEWHERE = ("test_opaqueTransport", "test_alertThatDoesNotMove")

for module in (test_output, test_transport_ends):
    for name, case in list(vars(module).items()):
        if isinstance(case, type) and issubclass(case, ConversationCase) and case.__module__ == module.__name__:
            members = {"__module__": __name__, **{test: None for test in ELSEWHERE if hasattr(case, test)}}
            globals()[f"Direct{name}"] = type(f"Direct{name}", (DirectlyWritten, case), members)
