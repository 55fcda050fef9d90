#!/usr/bin/env python3
"""Draws `daemon/docs/terminal.svg` from a real run: starts a daemon on a folder of its own, types the commands of README's
first build, and draws what they print. Run it from the repository after `cargo build --release`:

    python3 daemon/docs/picture.py target/release/nexusd
"""

import html
import os
import re
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

SENTENCE = "Answer questions about this price list: apple 3 EUR, pear 4 EUR. Convert kg to lb."
OUT = Path(__file__).with_name("terminal.svg")
WIDTH, LINE, LEFT, TOP = 880, 19, 22, 48


def run(program):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    shown = []
    with tempfile.TemporaryDirectory() as folder:
        daemon = subprocess.Popen([program, "--listen", f"127.0.0.1:{port}", "--data-dir", folder],
                                  stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            for _ in range(100):
                try:
                    urllib.request.urlopen(f"{url}/health/ready", timeout=1)
                    break
                except OSError:
                    time.sleep(0.1)
            environment = {**os.environ, "NEXUSD_URL": url}

            def typed(line, arguments, given=""):
                shown.append(("typed", f"$ {line}"))
                # One pipe for both: the order is that of the terminal.
                done = subprocess.run([program, *arguments], input=given, stdout=subprocess.PIPE,
                                      stderr=subprocess.STDOUT, text=True, env=environment, check=True)
                return done.stdout.splitlines()

            for line in typed(f'nexusd new "{SENTENCE}" --wait', ["new", SENTENCE, "--wait"]):
                shown.append(("done" if "completed" in line else "said", line))
            questions = ["how much are 3 pears?", "and 12 kg in lb?"]
            answers = typed("nexusd chat", ["chat"], "\n".join(questions) + "\n")
            ask = iter(questions)
            for line in answers:
                if line.startswith("  ["):
                    shown.append(("typed", f"> {next(ask)}"))
                    line = re.sub(r" = .*", "]", line)
                    shown.append(("tool", line))
                elif not line.startswith("go on"):
                    shown.append(("said", line))
        finally:
            daemon.terminate()
            daemon.wait(20)
    return shown


def draw(lines):
    height = TOP + LINE * len(lines) + 20
    colours = {"typed": "#e6edf3", "said": "#b8c4d0", "done": "#7ee787", "tool": "#8b98a5"}
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" role="img" aria-label="A build in the terminal">',
           f'<rect width="{WIDTH}" height="{height}" rx="10" fill="#0d1117"/>']
    out += [f'<circle cx="{22 + 20 * i}" cy="22" r="6" fill="{c}"/>' for i, c in enumerate(("#ff5f57", "#febc2e", "#28c840"))]
    out.append('<g font-family="ui-monospace,SFMono-Regular,Menlo,Consolas,monospace" font-size="13.5" xml:space="preserve">')
    for index, (kind, text) in enumerate(lines):
        text = text if len(text) <= 104 else text[:103] + "…"
        weight = ' font-weight="600"' if kind == "typed" else ""
        out.append(f'<text x="{LEFT}" y="{TOP + LINE * (index + 1)}" fill="{colours[kind]}"{weight}>{html.escape(text)}</text>')
    out += ["</g>", "</svg>", ""]
    return "\n".join(out)


if __name__ == "__main__":
    OUT.write_text(draw(run(sys.argv[1] if len(sys.argv) > 1 else "target/release/nexusd")))
