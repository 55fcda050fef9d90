"""Fetching a public web page, with limits: size, time, redirects, and no private addresses.

Every address a name resolves to is checked, and the connection goes to the checked
address itself, so that the name cannot be pointed elsewhere in between. Redirects are
checked the same way. AGENT_FETCH_ALLOW_PRIVATE=1 lifts the address check, for tests
and for intranets.
"""
from __future__ import annotations

import html
import http.client
import ipaddress
import os
import re
import socket
import ssl
import time
from typing import Any, Dict, Tuple
from urllib.parse import urljoin, urlsplit

__all__ = ["fetch_url"]

_MAX_BYTES = 512 * 1024
_MAX_REDIRECTS = 3
_SECONDS = 10.0


def fetch_url(url: str, max_characters: int = 4000) -> Dict[str, Any]:
    """Fetch a public web page or file over HTTP(S) and return it as text.

    Args:
        url: an http or https address.
        max_characters: at most so much of the text, 100 to 20000.

    Returns:
        {"url": the final address, "status", "content_type", "title", "text",
        "truncated": whether more was there}. HTML is reduced to its text.

    Raises:
        ValueError: the address is not allowed, or the page is not text.
        OSError: the server cannot be reached, or does not answer in time.
    """
    limit = max(100, min(20000, max_characters))
    deadline = time.monotonic() + _SECONDS
    for _ in range(_MAX_REDIRECTS + 1):
        status, headers, body, cut = _get(url, deadline)
        location = headers.get("location")
        if status in (301, 302, 303, 307, 308) and location:
            url = urljoin(url, location)
            continue
        kind = headers.get("content-type", "").lower()
        if kind and not re.match(r"text/|application/(json|xml|xhtml|javascript|rss|atom|ld\+json)|[\w/+.-]+\+(json|xml)", kind):
            raise ValueError("not a text: %s" % kind.split(";")[0])
        charset = re.search(r"charset=[\"']?([\w-]+)", kind)
        text, title = _decode(body, charset.group(1) if charset else "utf-8"), ""
        if "html" in kind or text.lstrip()[:15].lower().startswith(("<!doctype html", "<html")):
            text, title = _plain(text)
        return {
            "url": url,
            "status": status,
            "content_type": kind.split(";")[0].strip(),
            "title": title,
            "text": text[:limit],
            "truncated": cut or len(text) > limit,
        }
    raise ValueError("more than %d redirects" % _MAX_REDIRECTS)


def check_address(host: str, port: int) -> Tuple[int, str]:
    """Resolve a host and return (family, address); ValueError when any of its addresses is not public."""
    try:
        resolved = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (socket.gaierror, UnicodeError) as error:
        raise OSError("the host %r is not known" % host) from error
    if os.environ.get("AGENT_FETCH_ALLOW_PRIVATE") != "1":
        for entry in resolved:
            address = ipaddress.ip_address(str(entry[4][0]).split("%")[0])
            inner = _inner(address)
            if not address.is_global or address.is_multicast or (inner is not None and not inner.is_global):
                raise ValueError("%s is not a public address" % host)
    family, _, _, _, where = resolved[0]
    return family, str(where[0])


class _Pinned(http.client.HTTPConnection):
    """A connection to an address that was checked, whatever the name says by now."""

    def __init__(self, host: str, port: int, seconds: float, secure: bool) -> None:
        super().__init__(host, port, timeout=seconds)
        self._address = check_address(host, port)
        self._secure = secure

    def connect(self) -> None:
        raw = socket.socket(self._address[0], socket.SOCK_STREAM)
        raw.settimeout(self.timeout)
        try:
            raw.connect((self._address[1], self.port))
            self.sock = ssl.create_default_context().wrap_socket(raw, server_hostname=self.host) if self._secure else raw
        except BaseException:
            raw.close()
            raise


def _get(url: str, deadline: float) -> Tuple[int, Dict[str, str], bytes, bool]:
    parts = urlsplit(url.strip())
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("only http and https addresses can be fetched")
    if parts.username or parts.password:
        raise ValueError("addresses with a user name are not fetched")
    secure = parts.scheme == "https"
    seconds = max(0.1, deadline - time.monotonic())
    connection = _Pinned(parts.hostname, parts.port or (443 if secure else 80), seconds, secure)
    try:
        path = (parts.path or "/") + ("?" + parts.query if parts.query else "")
        connection.request("GET", path, headers={"User-Agent": "agent-http-fetch/1", "Accept": "text/*, application/json", "Connection": "close"})
        response = connection.getresponse()
        pieces, size = [], 0
        while size <= _MAX_BYTES:
            if time.monotonic() > deadline:
                raise TimeoutError("the server did not finish in %d seconds" % _SECONDS)
            piece = response.read1(64 * 1024)
            if not piece:
                break
            pieces.append(piece)
            size += len(piece)
        headers = {name.lower(): value for name, value in response.getheaders()}
        return response.status, headers, b"".join(pieces)[:_MAX_BYTES], size > _MAX_BYTES
    except http.client.HTTPException as error:
        raise OSError("the server's answer is not HTTP: %s" % type(error).__name__) from error
    finally:
        connection.close()


def _decode(body: bytes, charset: str) -> str:
    try:
        return body.decode(charset, errors="replace")
    except LookupError:
        return body.decode("utf-8", errors="replace")


def _inner(address: Any) -> Any:
    """The IPv4 address that an IPv6 address stands for, whichever way it was packed in; None when it is none."""
    inner = getattr(address, "ipv4_mapped", None) or getattr(address, "sixtofour", None)
    if inner is None and address.version == 6 and any(address in network for network in _PACKED):
        inner = ipaddress.ip_address(int(address) & 0xFFFFFFFF)
    return inner


# Translation by NAT64 (RFC 6052), and the old form ::a.b.c.d.
_PACKED = tuple(ipaddress.ip_network(text) for text in ("64:ff9b::/96", "64:ff9b:1::/48", "::/96"))
_HIDDEN = re.compile(r"<(script|style|noscript|template|svg|head)\b|<!--", re.IGNORECASE)


def _without_hidden(page: str) -> str:
    """The page without what is never shown. Each kind of end that is missing is looked for once: time grows with the page."""
    pieces, at, missing = [], 0, set()
    for begin in _HIDDEN.finditer(page):
        name = (begin.group(1) or "").lower()
        if begin.start() < at or name in missing:
            continue
        end = re.compile("</%s[^<>]*>" % name if name else "-->", re.IGNORECASE).search(page, begin.end())
        if end is None:
            missing.add(name)
            continue
        pieces += [page[at:begin.start()], " "]
        at = end.end()
    return "".join(pieces) + page[at:]


def _title(page: str) -> str:
    begin = re.search(r"<title[^<>]*>", page, re.IGNORECASE)
    end = re.compile("</title", re.IGNORECASE).search(page, begin.end()) if begin else None
    return html.unescape(page[begin.end():end.start()]).strip() if begin and end else ""


def _plain(page: str) -> Tuple[str, str]:
    title = _title(page)
    page = _without_hidden(page)
    page = re.sub(r"<(?:br|/p|/div|/li|/h[1-6]|/tr)\b[^<>]*>", "\n", page, flags=re.IGNORECASE)
    text = html.unescape(re.sub(r"<[^<>]+>", " ", page))
    lines = (re.sub(r"[^\S\n]+", " ", line).strip() for line in text.split("\n"))
    return "\n".join(line for line in lines if line), title
