#!/usr/bin/env python3
"""Whether the time of a refusal tells how much of a wrong key is right.

    python3 daemon/benches/wrong_key.py target/debug/nexusd [ROUNDS]

Shows the daemon wrong tokens of two real keys, the one of its first start and one of its store, in a random order over one
connection: their secrets are right in none, in half, or in all but the last of their 43 characters, and each has a good
checksum, so that it is compared with what is kept. Prints, for each, the middle of the times and the difference to a secret
that is all wrong, beside the difference of two halves of those that are all wrong, which is what the machine does by itself.
"""

import hashlib
import http.client
import random
import statistics
import sys
import tempfile
import time
from pathlib import Path

sys.argv[1:2] = sys.argv[1:2] or ["target/release/nexusd"]
ROUNDS = int(sys.argv[2]) if len(sys.argv) > 2 else 4000
sys.argv = sys.argv[:2]
from agents import Daemon  # noqa: E402  (it reads the arguments, too)

ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
SECRET = 43
RIGHT = {"none": 0, "none again": 0, "half": SECRET // 2, "all but the last": SECRET - 1}


def wrong(token, right):
    """A token with so many characters of the secret right and the next one wrong."""
    prefix, key, tail = token.split("_")
    good = tail[:SECRET]
    rest = "".join(random.choice(ALPHABET) for _ in range(SECRET - right - 1))
    secret = good[:right] + random.choice(ALPHABET.replace(good[right], "")) + rest
    digest = hashlib.sha256(("nexusd %s %s" % (key, secret)).encode()).digest()
    return "%s_%s_%s%s" % (prefix, key, secret, "".join(ALPHABET[byte % 62] for byte in digest[:6]))


def measure(port, name, token):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    times = {kind: [] for kind in RIGHT}
    order = [kind for kind in RIGHT for _ in range(ROUNDS)]
    random.shuffle(order)
    for number, kind in enumerate(order):
        head = {"Authorization": "Bearer " + wrong(token, RIGHT[kind])}
        begun = time.perf_counter_ns()
        connection.request("GET", "/api/v2/workflows", headers=head)
        with connection.getresponse() as answer:
            answer.read()
        if answer.status != 401:
            sys.exit("a wrong key is answered %d" % answer.status)
        if number > 100:
            times[kind].append((time.perf_counter_ns() - begun) / 1e3)
    base = statistics.median(times["none"])
    for kind, some in times.items():
        print("%s, right: %-16s p50 %.1f us, %+.1f us" % (name, kind, statistics.median(some), statistics.median(some) - base))


def main():
    settings = '[log]\nfilter = "error"\n[auth]\nmode = "token"\n[auth.limits]\nfailures_per_minute = 0\naddress_requests_per_minute = 0\n'
    with tempfile.TemporaryDirectory() as folder:
        daemon = Daemon(Path(folder), settings, open_to_all=False)
        try:
            token = (daemon.folder / "data/admin.token").read_text().strip()
            daemon.headers["Authorization"] = "Bearer " + token
            measure(daemon.port, "the first start's", token)
            measure(daemon.port, "one of the store's", daemon.ask("POST", "/keys", {"name": "bench", "role": "viewer"})["token"])
        finally:
            daemon.stop()


if __name__ == "__main__":
    main()
