"""The running server: what ``twistd tlscomm`` starts and stops, its options, its log and its applications.

Any Twisted application can use `TLSService` in the same way.
"""

from tlscomm._lazy import lazyFace

__all__ = [
    "APPLICATIONS",
    "CannotListen",
    "ConfigurationProblems",
    "Echo",
    "Greet",
    "Listener",
    "Options",
    "Origin",
    "PlanProblem",
    "ReloadResult",
    "Server",
    "TLSService",
    "applicationNamed",
    "factoryFor",
    "hookNamed",
    "keepSteady",
    "makeService",
]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from tlscomm._clocks import keepSteady
    from tlscomm.plans._plan import Origin
    from tlscomm.plans._planproblems import ConfigurationProblems, PlanProblem
    from tlscomm.server._applications import APPLICATIONS, Echo, Greet, applicationNamed, factoryFor, hookNamed
    from tlscomm.server._options import Options, makeService
    from tlscomm.serving._ports import CannotListen, Listener
    from tlscomm.serving._server import Server
    from tlscomm.serving._service import TLSService
    from tlscomm.watching._reloadresult import ReloadResult
else:
    # twistd explains and refuses options, which must not take as long as loading OpenSSL does.
    __getattr__, __dir__ = lazyFace(
        __name__,
        {
            "APPLICATIONS": "tlscomm.server._applications",
            "CannotListen": "tlscomm.serving._ports",
            "ConfigurationProblems": "tlscomm.plans._planproblems",
            "Echo": "tlscomm.server._applications",
            "Greet": "tlscomm.server._applications",
            "Listener": "tlscomm.serving._ports",
            "Options": "tlscomm.server._options",
            "Origin": "tlscomm.plans._plan",
            "PlanProblem": "tlscomm.plans._planproblems",
            "ReloadResult": "tlscomm.watching._reloadresult",
            "Server": "tlscomm.serving._server",
            "TLSService": "tlscomm.serving._service",
            "applicationNamed": "tlscomm.server._applications",
            "factoryFor": "tlscomm.server._applications",
            "hookNamed": "tlscomm.server._applications",
            "keepSteady": "tlscomm._clocks",
            "makeService": "tlscomm.server._options",
        },
    )
