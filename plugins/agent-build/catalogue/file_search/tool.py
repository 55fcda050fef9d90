"""Search and reading in the agent's own folder `files/`; nothing outside it can be reached."""
from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Dict, Iterator, Tuple

__all__ = ["search_files", "read_text_file", "list_files"]

FILES_DIR = Path(__file__).resolve().parent.parent / "files"
_MAX_FILES = 2000
_MAX_BYTES = 512 * 1024
_MAX_HITS = 30


def _all() -> Iterator[Tuple[str, Path]]:
    root = FILES_DIR.resolve()
    count = 0
    for folder, folders, names in os.walk(root, followlinks=False):
        folders.sort()
        for name in sorted(names):
            path = Path(folder) / name
            if path.is_symlink() or not path.is_file():
                continue
            count += 1
            if count > _MAX_FILES:
                return
            yield path.relative_to(root).as_posix(), path


def _inside(name: str) -> Path:
    root = FILES_DIR.resolve()
    path = (root / name).resolve()
    if root not in path.parents or not path.is_file():
        raise LookupError("there is no file %r in the folder" % name)
    return path


def list_files() -> Dict[str, Any]:
    """List the files in the folder.

    Returns:
        {"files": [{"name", "bytes"}], "count"}.
    """
    files = [{"name": name, "bytes": path.stat().st_size} for name, path in _all()]
    return {"files": files, "count": len(files)}


def search_files(query: str) -> Dict[str, Any]:
    """Search the text files of the folder for a word or phrase, whatever its case; file names count too.

    Args:
        query: what to look for.

    Returns:
        {"query", "hits": [{"file", "line", "text"}], "files": searched}, at most 30 hits;
        line 0 stands for the file's name.
    """
    wanted = query.strip().lower()
    if not wanted:
        raise ValueError("nothing to search for")
    hits, searched = [], 0
    for name, path in _all():
        searched += 1
        if wanted in name.lower():
            hits.append({"file": name, "line": 0, "text": name})
        if path.stat().st_size <= _MAX_BYTES:
            text = path.read_bytes()
            if b"\0" not in text[:1024]:
                for number, line in enumerate(text.decode("utf-8", errors="replace").splitlines(), 1):
                    if wanted in line.lower():
                        hits.append({"file": name, "line": number, "text": line.strip()[:200]})
        if len(hits) >= _MAX_HITS:
            break
    return {"query": query.strip(), "hits": hits[:_MAX_HITS], "files": searched}


def read_text_file(name: str, max_characters: int = 4000) -> Dict[str, Any]:
    """Read a text file of the folder.

    Args:
        name: the file's name relative to the folder.
        max_characters: at most so much of it, 1 to 20000.

    Returns:
        {"name", "text", "truncated"}.

    Raises:
        LookupError: there is no such file inside the folder.
        ValueError: the file is not text.
    """
    path = _inside(name)
    with path.open("rb") as source:
        data = source.read(_MAX_BYTES)
    if b"\0" in data[:1024]:
        raise ValueError("%s is not a text file" % name)
    limit = max(1, min(20000, max_characters))
    text = data.decode("utf-8", errors="replace")
    return {"name": name, "text": text[:limit], "truncated": len(text) > limit or path.stat().st_size > _MAX_BYTES}
