"""Tests of tools/http_fetch.py against a server at the other end of a pair of sockets: tests have no network."""
import os
import socket
import threading
import unittest
from http.server import BaseHTTPRequestHandler
from unittest import mock

from tools import http_fetch
from tools.http_fetch import check_address, fetch_url


class Pages(BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path == "/loop":
            self.send_response(302)
            self.send_header("Location", "/loop")
            self.end_headers()
            return
        kind = "image/png" if self.path == "/image" else "text/html; charset=utf-8"
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.end_headers()
        body = "<html><head><title>A &amp; B</title></head><body><script>no()</script><p>Hello</p><p>W\u00f6rld</p></body></html>"
        self.wfile.write(b"x" * 700_000 if self.path == "/large" else body.encode("utf-8"))

    def log_message(self, *args):
        pass


class HttpFetchTest(unittest.TestCase):
    base = "http://127.0.0.1:8"

    def setUp(self):
        patched = mock.patch.object(http_fetch._Pinned, "connect", self.connect_to_pages)
        patched.start()
        self.addCleanup(patched.stop)

    @staticmethod
    def connect_to_pages(connection):
        connection.sock, theirs = socket.socketpair()

        def serve():
            with theirs:
                try:
                    Pages(theirs, ("", 0), None)
                except OSError:
                    pass  # the reader had enough

        threading.Thread(target=serve, daemon=True).start()

    def test_page_as_text(self):
        with mock.patch.dict(os.environ, {"AGENT_FETCH_ALLOW_PRIVATE": "1"}):
            page = fetch_url(self.base + "/")
        self.assertEqual((page["title"], page["text"], page["truncated"]), ("A & B", "Hello\nW\u00f6rld", False))

    def test_limits(self):
        with mock.patch.dict(os.environ, {"AGENT_FETCH_ALLOW_PRIVATE": "1"}):
            self.assertTrue(fetch_url(self.base + "/large")["truncated"])
            with self.assertRaisesRegex(ValueError, "redirects"):
                fetch_url(self.base + "/loop")
            with self.assertRaisesRegex(ValueError, "not a text"):
                fetch_url(self.base + "/image")

    def test_private_addresses_are_refused(self):
        with mock.patch.dict(os.environ, {"AGENT_FETCH_ALLOW_PRIVATE": ""}):
            for host in ("127.0.0.1", "10.1.2.3", "192.168.0.1", "169.254.169.254", "::1", "::ffff:127.0.0.1", "0.0.0.0", "2130706433", "100.64.0.1"):
                with self.subTest(host), self.assertRaises((ValueError, OSError)):
                    check_address(host, 80)
            with self.assertRaisesRegex(ValueError, "not a public address"):
                fetch_url(self.base + "/")

    def test_other_schemes_are_refused(self):
        for url in ("file:///etc/passwd", "ftp://example.org/", "http://", "http://user:pw@example.org/", "nonsense"):
            with self.subTest(url), self.assertRaises(ValueError):
                fetch_url(url)


if __name__ == "__main__":
    unittest.main()
