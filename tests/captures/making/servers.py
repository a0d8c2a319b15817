"""The servers, each by the command that starts it. By default they demand a certificate of the authority ``ca``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from making.credentials import PASSWORD
from making.places import PROGRAMS, Place, found, python

__all__ = ["ASKING", "NOT_ASKING", "SERVERS", "Server"]

#: Options of servers that are content without a certificate, and that do not ask for one.
ASKING, NOT_ASKING = "asking", "not-asking"

Server = Callable[[Place, str, Sequence[str]], list[str]]


def openssl(place: Place, identity: str, options: Sequence[str]) -> list[str]:
    pem = place.file(f"server-{identity}.pem")
    command = ["openssl", "s_server", "-accept", place.address, "-cert", pem, "-key", pem, "-naccept", "50"]
    verifying = {ASKING: ["-verify", "3", "-verify_return_error"], NOT_ASKING: []}
    command += next(
        (verifying[each] for each in options if each in verifying), ["-Verify", "3", "-verify_return_error"]
    )
    reversing = ["-rev"] if "-quiet" not in options else []
    own = [option for option in options if option not in verifying]
    return [*command, place.option, "-CAfile", place.file("ca.pem"), *reversing, "-keylogfile", str(place.keylog), *own]


def gnutls(place: Place, identity: str, options: Sequence[str]) -> list[str]:
    pem = place.file(f"server-{identity}.pem")
    return [
        *("gnutls-serv", "--echo", f"--priority=NORMAL:-VERS-ALL:+VERS-TLS{place.version}", f"--port={place.port}"),
        *(f"--x509certfile={pem}", f"--x509keyfile={pem}", f"--x509cafile={place.file('ca.pem')}"),
        *(["--disable-client-cert"] if NOT_ASKING in options else ["--verify-client-cert"]),
        *(["--require-client-cert"] if not options else []),
    ]


def threads(place: Place, identity: str, options: Sequence[str]) -> list[str]:
    return _python(place, "server", identity, options)


def asynchronous(place: Place, identity: str, options: Sequence[str]) -> list[str]:
    return _python(place, "asyncio", identity, options)


def _python(place: Place, mode: str, identity: str, options: Sequence[str]) -> list[str]:
    pem = place.file(f"server-{identity}.pem")
    words = (mode, place.host, str(place.port), place.version, pem, place.file("ca.pem"), "-", str(place.keylog))
    return python(str(PROGRAMS / "peer.py"), *words, *options)


def go(place: Place, identity: str, options: Sequence[str]) -> list[str]:
    pem = place.file(f"server-{identity}.pem")
    words = ("server", place.address, place.version, pem, place.file("ca.pem"), "-", str(place.keylog), "1")
    return [str(place.built / "peer"), *words, *options]


def java(place: Place, identity: str, options: Sequence[str]) -> list[str]:
    p12 = place.file(f"server-{identity}.p12")
    words = ("server", place.host, str(place.port), place.version, p12, place.file("ca.der"), "-", PASSWORD)
    return ["java", "-cp", str(place.built), "Peer", *words]


def mono(place: Place, identity: str, options: Sequence[str]) -> list[str]:
    p12 = place.file(f"server-{identity}.p12")
    words = ("server", place.host, str(place.port), p12, place.file("ca.der"), "-", PASSWORD)
    return ["mono", str(place.built / "Peer.exe"), *words]


def nginx(place: Place, identity: str, options: Sequence[str]) -> list[str]:
    return _nginx(place, identity, "stream", f"proxy_pass 127.0.0.1:{place.echo};", options)


def nginxhttp(place: Place, identity: str, options: Sequence[str]) -> list[str]:
    return _nginx(place, identity, "http", 'access_log off; return 200 "hello\\n";', options)


def _nginx(place: Place, identity: str, kind: str, does: str, options: Sequence[str]) -> list[str]:
    pem = place.file(f"server-{identity}.pem")
    listening = "ssl proxy_protocol" if "proxy_protocol" in options else "ssl"
    module = Path("/usr/lib/nginx/modules/ngx_stream_module.so")
    own = "ssl_reject_handshake on;" if "reject" in options else f"ssl_certificate {pem}; ssl_certificate_key {pem};"
    asking = "off" if NOT_ASKING in options else "optional" if ASKING in options else "on"
    text = f"load_module {module};\n" if module.exists() and kind == "stream" else ""
    text += f"""daemon off; master_process off; pid nginx.pid; error_log stderr; events {{}}
{kind} {{ ssl_client_certificate {place.file("ca.pem")};
server {{ listen {place.address} {listening}; ssl_protocols TLSv{place.version}; ssl_verify_client {asking};
{own} {does} }} }}
"""
    configuration = place.folder / "nginx.conf"
    configuration.write_text(text)
    return [found("nginx"), "-e", "stderr", "-p", f"{place.folder}/", "-c", str(configuration)]


def haproxy(place: Place, identity: str, options: Sequence[str]) -> list[str]:
    accepting = "accept-proxy" if "accept-proxy" in options else ""
    text = f"""defaults
 mode tcp
 retries 0
 timeout connect 1m
 timeout client 1m
 timeout server 1m
listen tls
 bind {place.host}:{place.port} {accepting} ssl crt {place.file(f"server-{identity}.pem")} verify required ca-file \
{place.file("ca.pem")} ssl-min-ver TLSv{place.version} ssl-max-ver TLSv{place.version}
 server echo 127.0.0.1:{place.echo}
"""
    configuration = place.folder / "haproxy.cfg"
    configuration.write_text(text)
    return [found("haproxy"), "-db", "-f", str(configuration)]


def stunnel(place: Place, identity: str, options: Sequence[str]) -> list[str]:
    text = f"""foreground = yes
pid =
CAfile = {place.file("ca.pem")}
verifyChain = yes
TIMEOUTclose = 0
[tls]
accept = {place.host}:{place.port}
connect = 127.0.0.1:{place.echo}
cert = {place.file(f"server-{identity}.pem")}
sslVersionMin = TLSv{place.version}
sslVersionMax = TLSv{place.version}
"""
    configuration = place.folder / "stunnel.conf"
    configuration.write_text(text)
    return [found("stunnel"), str(configuration)]


def plaintwisted(place: Place, identity: str, options: Sequence[str]) -> list[str]:
    pem = place.file(f"server-{identity}.pem")
    words = (place.host, str(place.port), place.version, pem, place.file("ca.pem"))
    return python(str(PROGRAMS / "plaintwisted.py"), *words)


def tlscomm(place: Place, identity: str, options: Sequence[str]) -> list[str]:
    listening = place.host.replace(":", "\\:")
    return python(
        *("-c", "from twisted.scripts.twistd import run; run()", "-n", "--pidfile=", "tlscomm"),
        *("--listen", f"tcp:{place.port}:interface={listening}", "--identity", place.file(f"server-{identity}.pem")),
        *("--client-roots", place.file("ca.pem"), "--maximum-tls", place.version, "--minimum-tls", place.version),
        *("--framing", "line", *options),
    )


SERVERS: dict[str, Server] = {
    "openssl": openssl,
    "gnutls": gnutls,
    "python": threads,
    "asyncio": asynchronous,
    "go": go,
    "java": java,
    "mono": mono,
    "nginx": nginx,
    "nginx-http": nginxhttp,
    "haproxy": haproxy,
    "stunnel": stunnel,
    "twisted": plaintwisted,
    "tlscomm": tlscomm,
}
