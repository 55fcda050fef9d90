"""The manifest and the tools it names, loaded and ready to call."""
from __future__ import annotations

import importlib
import inspect
import json
from pathlib import Path
from typing import Any, Callable, Dict, List

ToolFunction = Callable[..., Any]


class Tool:
    """One tool: its functions (what it does) and its intent (when it is meant)."""

    def __init__(self, entry: Dict[str, Any]) -> None:
        self.id: str = entry["id"]
        self.entry = entry
        module = importlib.import_module("tools." + self.id)
        self.functions: Dict[str, ToolFunction] = {name: getattr(module, name) for name in module.__all__}
        self.intent = importlib.import_module("intents." + self.id)

    def label(self, language: str) -> str:
        """The tool's name for people."""
        return _localized(self.entry.get("name"), language, self.id)

    def summary(self, language: str) -> str:
        """What the tool does, in one line."""
        return _localized(self.entry.get("summary"), language, "")

    def example(self, language: str) -> str:
        """A question this tool answers."""
        return _localized(self.entry.get("example"), language, "")

    def call(self, function: str, arguments: Dict[str, Any]) -> Any:
        """Call a function with checked argument names; what it raises goes to the caller."""
        target = self.functions[function]
        inspect.signature(target).bind(**arguments)
        return target(**arguments)


class Agent:
    """The agent as its manifest describes it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.manifest: Dict[str, Any] = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
        self.name: str = self.manifest["agent_name"]
        self.language: str = self.manifest.get("language", "en")
        self.tools: List[Tool] = [Tool(entry) for entry in self.manifest["tools"]]

    def needs_model(self) -> bool:
        """True when the agent is of no use without a language model."""
        return self.manifest.get("model", {}).get("use") == "required"

    def prompt(self) -> str:
        """The system prompt, used when a language model answers."""
        return (self.folder / self.manifest["prompt_path"]).read_text(encoding="utf-8")


def _localized(texts: Any, language: str, otherwise: str) -> str:
    if isinstance(texts, dict):
        return texts.get(language) or texts.get("en") or otherwise
    return texts or otherwise
