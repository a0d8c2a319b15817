"""Reads the server's JSON log and says who was refused and why.

twistd -n tlscomm --log-format json | python refusals.py
"""

import json
import sys

for line in sys.stdin:
    event = json.loads(line)
    if event["event"] == "refused":
        failure = event["failure"]
        subject = failure["certificate"]["subject"] if failure["certificate"] else "no certificate"
        print(event["time"], event["peer"], failure["code"], subject, failure["nextStep"], sep="\t", flush=True)
