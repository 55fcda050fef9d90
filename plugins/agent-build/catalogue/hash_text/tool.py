"""Checksums of a text."""
from __future__ import annotations

import hashlib
import zlib
from typing import Any, Dict

from runtime.refusal import Refused

__all__ = ["hash_text"]

ALGORITHMS = ("sha256", "sha512", "sha384", "sha224", "sha1", "md5", "blake2b", "sha3_256", "crc32")


def hash_text(text: str, algorithm: str = "sha256") -> Dict[str, Any]:
    """Compute the checksum of a text (as UTF-8).

    Args:
        text: the text.
        algorithm: one of sha256 sha512 sha384 sha224 sha1 md5 blake2b sha3_256 crc32.

    Returns:
        {"algorithm", "hex", "bytes": length of the text in UTF-8}.
    """
    name = algorithm.lower().replace("-", "")
    if name not in ALGORITHMS:
        raise Refused("unknown algorithm %r; known are: %s" % (algorithm, ", ".join(ALGORITHMS)), "不认识的算法：%s" % algorithm)
    data = text.encode("utf-8")
    digest = "%08x" % zlib.crc32(data) if name == "crc32" else hashlib.new(name, data).hexdigest()
    return {"algorithm": name, "hex": digest, "bytes": len(data)}
