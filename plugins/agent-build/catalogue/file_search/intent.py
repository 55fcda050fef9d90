"""When a question is about the files in the agent's folder."""
from __future__ import annotations

import re
from typing import Any, Dict, Optional

from runtime.question import Proposal, Question

DOES = True

_NAME = re.compile(r"(?<![\w/:])((?:[\w-]+/)*[\w-]+\.(?:txt|md|csv|json|log|py|yaml|yml|toml|html|xml|ini|cfg|rst))\b", re.IGNORECASE)


def propose(question: Question) -> Optional[Proposal]:
    """Listing, reading one named file, or searching for a phrase."""
    if len(question.text) > 300 or "://" in question.text:
        return None
    name = _NAME.search(question.text)
    if name and question.has("read", "open", "show", "print", "content", "contents", "what is in", "cat", "读取", "打开", "显示", "内容", "查看"):
        return Proposal("read_text_file", {"name": name.group(1)}, 0.94)
    if question.has("list files", "list the files", "list all files", "which files", "what files", "show files", "show the files", "how many files",
                    "哪些文件", "列出文件", "所有文件", "文件列表", "有什么文件"):
        return Proposal("list_files", {}, 0.94)
    match = re.search(
        r"(?:search|look|grep|find)\s+(?:(?:in|through|all|the|my|your)\s+)*(?:files?|folder|documents?|notes)?\s*(?:for|mentioning|containing|about)?\s*[:：]?\s*(.+?)"
        r"(?:\s+in\s+(?:the |my |your |all )*(?:files?|folder|documents?))?\s*[?.]?$", question.text, re.IGNORECASE)
    if match and question.has("file", "files", "folder", "document", "documents", "grep"):
        return Proposal("search_files", {"query": _clean(match.group(1))}, 0.92)
    which = re.search(r"which (?:file|files|document|documents) (?:mentions?|contains?|has|have|talks? about)\s+(.+?)\s*\??$", question.text, re.IGNORECASE)
    chinese = re.search(r"(?:搜索|查找|检索)(?:一下)?(?:文件|文档|资料)?(?:夹)?(?:中|里|里面)?(?:的|含有|包含|关于|提到)?\s*[“\"「]?(.+?)[”\"」]?(?:的文件|的文档)?[。？?]?$", question.text)
    found = which or (chinese if question.has("文件", "文档", "资料", "搜索") else None)
    return Proposal("search_files", {"query": _clean(found.group(1))}, 0.9) if found else None


def _clean(phrase: str) -> str:
    return re.sub(r"^(?:the )?(?:word|phrase|text|files?|documents?)?\s*(?:for|mentioning|containing|about)?\s+", "", " " + phrase.strip()).strip(" \"'“”「」")


def say(function: str, arguments: Dict[str, Any], result: Dict[str, Any], language: str) -> str:
    """List files or hits, or show the text."""
    zh = language == "zh"
    if function == "list_files":
        if not result["count"]:
            return "files/ 文件夹是空的。" if zh else "The folder files/ is empty."
        return "\n".join(["- %s (%d bytes)" % (entry["name"], entry["bytes"]) for entry in result["files"][:50]])
    if function == "read_text_file":
        return result["text"] + (("\n…（已截断）" if zh else "\n… (cut)") if result["truncated"] else "")
    if not result["hits"]:
        return ("在 %d 个文件中没有找到“%s”。" if zh else 'In %d files there is no "%s".') % (result["files"], result["query"])
    return "\n".join("- %s%s: %s" % (hit["file"], ":%d" % hit["line"] if hit["line"] else "", hit["text"]) for hit in result["hits"])
