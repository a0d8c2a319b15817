#!/bin/sh
# Shows a server and a client that accept each other over TLS 1.3 and 1.2, and one refusal, with what each side says of
# it, and draws that refusal from the server's capture. Exit status 0 means that all of it was as it should be. `make demo` makes .venv first.
set -eu
cd "$(dirname "$0")/.."

folder=$(mktemp -d)
server=
message='Grüße, 你好'

heading() {
    printf '\n== %s\n\n' "$1"
}

indent() {
    sed 's/^/    /' "$1"
}

fail() {
    printf '\nNot as expected: %s\n' "$1" >&2
    for file in log reply; do
        [ ! -s "$folder/$file" ] || { echo "-- $file" && indent "$folder/$file"; } >&2
    done
    exit 1
}

# Tries a command until it succeeds, for half a minute and a bit.
await() {
    tries=0
    until "$@" >/dev/null 2>&1; do
        tries=$((tries + 1))
        [ "$tries" -lt 150 ] || return 1
        sleep 0.2
    done
}

has_events() {
    [ "$(wc -l <"$folder/events")" -ge "$1" ]
}

stop_server() {
    [ -n "$server" ] || return 0
    kill "$server" 2>/dev/null || true
    await grep 'Server Shut Down' "$folder/log" || kill -KILL "$server" 2>/dev/null || true
    ended=0
    wait "$server" || ended=$?
    server=
}

clean_up() {
    status=$?
    trap - EXIT
    stop_server
    rm -rf "$folder"
    exit "$status"
}

trap clean_up EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

# Through the interpreter: a script in .venv/bin starts with its path, which may be too long for the system.
tlscomm() {
    .venv/bin/python -m tlscomm.commandline "$@"
}

# Says what is typed, runs it, and shows what comes back. The first argument is the exit status that is expected.
connect() {
    expected=$1
    shift
    printf '$ tlscomm connect %s' "$address"
    printf ' %s' "$@"
    printf " --message '%s'\n" "$message"
    got=0
    tlscomm connect "$address" "$@" --timeout 30 --message "$message" >"$folder/reply" 2>&1 || got=$?
    indent "$folder/reply"
    [ "$got" = "$expected" ] || fail "the client ended with exit status $got"
}

said() {
    grep -qF -- "$1" "$folder/reply" || fail "the client did not say '$1'"
}

heading 'A development authority, with a credential for a server and one for a client'
echo '$ tlscomm pki init certs'
tlscomm pki init certs >"$folder/reply" 2>&1 || fail 'the authority was not made'
indent "$folder/reply"

heading 'A server that demands certificates of that authority and returns each message'
echo "$ twistd -n tlscomm --listen tcp:0:interface=127.0.0.1 --identity certs/server.pfx --client-roots certs/ca.pem \\"
echo '      --log-format json --capture demo.pcapng'
: >"$folder/events"
.venv/bin/python -c 'from twisted.scripts.twistd import run; run()' -n --pidfile= tlscomm \
    --listen tcp:0:interface=127.0.0.1 --identity certs/server.pfx --client-roots certs/ca.pem --log-format json \
    --capture "$folder/demo.pcapng" >"$folder/events" 2>"$folder/log" &
server=$!
await has_events 1 || fail 'the server does not listen'
address=$(sed -n 's/.*"event": "listening".*"address": "\([^"]*\)".*/\1/p' "$folder/events")
[ -n "$address" ] || fail 'the server does not say where it listens'
echo "    It listens on $address."

heading 'A client with a certificate, over TLS 1.3'
connect 0 --identity certs/client.pfx --roots certs/ca.pem
said "$message"
said TLSv1.3
await has_events 3 || fail 'the server has not seen the client go'

heading 'The same over TLS 1.2'
connect 0 --identity certs/client.pfx --roots certs/ca.pem --maximum-tls 1.2
said "$message"
said TLSv1.2
await has_events 5 || fail 'the server has not seen the client go'

heading 'A client without a certificate is refused, and told why'
connect 1 --roots certs/ca.pem
said no-certificate
await has_events 6 || fail 'the server has not refused the client'

stop_server
# It was told to end, and all its connections have ended in order.
[ "$ended" = 0 ] || fail "the server ended with exit status $ended"

heading 'What the server has seen of all this'
.venv/bin/python - "$folder/events" <<'EOF' || fail 'the server has seen something else'
import json
import sys

seen = []
for line in open(sys.argv[1], encoding="utf-8"):
    event = json.loads(line)
    name, failure = event["event"], event.get("failure")
    who = f"    connection {event.get('connection')}: {name}"
    if name == "authenticated":
        tls = event["tls"]
        seen.append((name, tls["version"]))
        facts = ", ".join(tls[fact] for fact in ("version", "cipher", "group") if tls[fact])
        print(f"{who}, {event['certificate']['subject']}, {facts}")
    elif name == "closed":
        seen.append((name, failure and failure["code"], event["messagesReceived"], event["messagesSent"]))
        print(f"{who}, messages received {event['messagesReceived']}, sent {event['messagesSent']}")
    elif name == "refused":
        seen.append((name, failure["code"]))
        print(f"{who}, {failure['code']}: {failure['message']}\n        {failure['nextStep']}")

inOrder = ("closed", None, 1, 1)
expected = [("authenticated", "TLSv1.3"), inOrder, ("authenticated", "TLSv1.2"), inOrder, ("refused", "no-certificate")]
sys.exit(seen != expected)
EOF

heading 'What has just happened, message by message, from the capture that the server made'
echo '$ tlscomm analyze demo.pcapng --connection 3'
tlscomm analyze "$folder/demo.pcapng" --connection 3 >"$folder/reply" 2>&1 || fail 'the capture was not read'
said 'no-certificate, refused by the server, certain'
indent "$folder/reply"

heading 'All was as it should be; the server is stopped'
