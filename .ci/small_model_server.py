"""Serves weights by llama.cpp's own HTTP server, on loopback: small_model_server.py MODEL PORT"""

import signal
import sys

import xllamacpp

settings = xllamacpp.CommonParams()
settings.model.path = sys.argv[1]
settings.hostname = "127.0.0.1"
settings.port = int(sys.argv[2])
settings.model_alias = {"local"}
settings.n_ctx = 4096
settings.n_parallel = 2
settings.cpuparams.n_threads = 2
settings.use_jinja = True
server = xllamacpp.Server(settings)
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
while True:
    signal.pause()
