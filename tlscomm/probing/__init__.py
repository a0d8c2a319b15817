"""What a live server presents and demands, seen by connecting to it.

A probe sends no application data, and keeps to a few connections. It lets itself be shown any certificate, because what
is wrong with one is a part of the answer; nothing is ever said over such a connection.
"""

from tlscomm._lazy import lazyFace

__all__ = ["ClientCertificates", "Findings", "Spoken", "Tried", "Visit", "probe"]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from tlscomm.probing._findings import ClientCertificates, Findings, Spoken, Tried
    from tlscomm.probing._probe import probe
    from tlscomm.probing._visit import Visit
else:
    __getattr__, __dir__ = lazyFace(
        __name__,
        {
            "ClientCertificates": "tlscomm.probing._findings",
            "Findings": "tlscomm.probing._findings",
            "Spoken": "tlscomm.probing._findings",
            "Tried": "tlscomm.probing._findings",
            "Visit": "tlscomm.probing._visit",
            "probe": "tlscomm.probing._probe",
        },
    )
