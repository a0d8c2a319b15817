"""An ASGI application that knows who asks, served by Daphne.

daphne -e tlscomm:8443:identity=certs/server.pfx:clientRoots=certs/ca.pem asking:application
"""

from tlscomm.web import TLSExtension


async def answer(scope, receive, send):
    caller = scope["extensions"]["tls"]["client_cert_name"]
    names = scope["extensions"]["tlscomm"]["peer"].dnsNames
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": f"{caller} {names}\n".encode()})


application = TLSExtension(answer)
