"""Reads the server's JSON log and says who was refused and why.

twistd -n tlscomm --log-format json | python refusals.py
"""

import json
import sys

for line in sys.stdin:
    event = json.loads(line)
    if event["event"] in ("refused", "refusals"):
        failure = event["failure"]
        subject = failure["certificate"]["subject"] if failure["certificate"] else "no certificate"
        facts = (event["peer"], failure["code"], subject, failure["nextStep"], event.get("count", 1))
        print(event["time"], *facts, sep="\t", flush=True)
