"""When a question wants data laid out as a Markdown table, as CSV or as JSON."""
from __future__ import annotations

import re
from typing import Any, Dict, Optional

from runtime.question import Proposal, Question

DOES = True
READS_TEXT = True


def propose(question: Question) -> Optional[Proposal]:
    """A wanted form plus a table in the message."""
    lines = question.text.splitlines()
    body = question.payload() if "```" in question.text else None
    if body is None:
        start = re.search(r"[\[{]\s*[{\"]", question.text)
        table = [line for line in lines[1:] if re.search(r"[,;\t|]", line)]
        after_colon = question.payload()
        body = question.text[start.start() :] if start else "\n".join(table) if len(table) >= 2 else after_colon if after_colon and "\n" in after_colon else None
    if not body:
        return None
    head = question.text.replace(body, " ").split("\n")[0].lower() or lines[0].lower()
    wants = r"(?:to|into|as|成|为|转)\s*(?:a |an )?(?:\w+ )?"
    if re.search(r"markdown|md table|markdown表格|表格形式", head) and not re.search(r"from (?:a )?markdown|to (?:csv|json)", head):
        return Proposal("to_markdown_table", {"text": body}, 0.96)
    if re.search(wants + r"csv", head):
        return Proposal("table_to_csv", {"text": body}, 0.97)
    if re.search(wants + r"json", head):
        return Proposal("table_to_json", {"text": body}, 0.97)
    if re.search(r"(?:make|format|turn|show|create|draw).*\btable\b|做成表格|转成表格|生成表格|整理成表", head):
        return Proposal("to_markdown_table", {"text": body}, 0.95)
    return None


def say(function: str, arguments: Dict[str, Any], result: Dict[str, Any], language: str) -> str:
    """Give the table itself."""
    if function == "to_markdown_table":
        return result["table"]
    kind = "csv" if function == "table_to_csv" else "json"
    return "```%s\n%s\n```" % (kind, result[kind].rstrip("\n"))
