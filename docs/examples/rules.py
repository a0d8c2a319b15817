"""Access rules as objects, and an application that decides for itself.

python rules.py
"""

from tlscomm import AccessRules, Authority, Peer, parseRule

workers = parseRule("dns=*.workers.example.org")
billing = parseRule("uri=spiffe://example.org/billing")
guests = parseRule("cn=guest") | parseRule("ou=visitors")

rules = AccessRules(allow=(workers, billing & ~guests), deny=(parseRule("ip=192.0.2.0/24"),))


rights = {"spiffe://example.org/billing": "read and write"}


def decide(peer):
    if peer.rule == workers:
        return "read"
    return rights.get(peer.spiffeID, "nothing")


if __name__ == "__main__":
    authority = Authority.create()
    for name in ({"uris": ["spiffe://example.org/billing"]}, {"dnsNames": ["a.workers.example.org"]}, {}):
        chain = (authority.issue("peer", role="client", **name).certificate, authority.certificate)
        decision = rules.judge(Peer(chain))
        print(decide(Peer(chain, decision.rule)) if decision.isLetIn else decision.problem.detail, decision.rule)
