"""Writes the `functions` part of every `tool.json` from the tool's own signatures and docstrings.

Run it after changing a tool: `python3 catalogue/describe.py`. The catalogue's tests
fail when a `tool.json` and its tool have drifted apart.
"""
import importlib
import inspect
import json
import re
import typing

from agent_folder import CATALOGUE, TOOLS

_NAMES = {str: "string", int: "integer", float: "number", bool: "boolean"}


def _type_name(hint):
    if hint in _NAMES:
        return _NAMES[hint]
    origin = typing.get_origin(hint)
    if origin is list:
        return "array of %s" % _type_name(typing.get_args(hint)[0])
    if origin is typing.Union:
        return _type_name(typing.get_args(hint)[0])
    return "object"


def _sections(function):
    """What the docstring says under its headings: {"Args": {name: text}, "Returns": text}."""
    args, returns, heading, name = {}, [], "", ""
    for line in inspect.getdoc(function).splitlines():
        if re.fullmatch(r"[A-Z]\w+:", line):
            heading, name = line[:-1], ""
        elif heading == "Args" and line.strip():
            start = re.match(r"    (\w+): (.*)", line)
            name = start.group(1) if start else name
            args.setdefault(name, []).append((start.group(2) if start else line).strip())
        elif heading == "Returns" and line.strip():
            returns.append(line.strip())
    return {name: " ".join(lines) for name, lines in args.items()}, " ".join(returns)


def functions_of(tool_id):
    """Name, first line, parameters and result of each function that a tool offers."""
    module = importlib.import_module("tools." + tool_id)
    described = []
    for name in module.__all__:
        function = getattr(module, name)
        hints = typing.get_type_hints(function)
        args, returns = _sections(function)
        parameters = []
        for p in inspect.signature(function).parameters.values():
            required = p.default is inspect.Parameter.empty
            parameter = {"name": p.name, "type": _type_name(hints[p.name]), "required": required, "description": args[p.name]}
            if not required and p.default is not None:
                parameter["default"] = p.default
            parameters.append(parameter)
        summary = inspect.getdoc(function).splitlines()[0]
        described.append({"name": name, "summary": summary, "parameters": parameters, "returns": returns})
    return described


def dump(description):
    """The one way a `tool.json` is written."""
    text = json.dumps(description, ensure_ascii=False, indent=2)
    # Lists of words and flat objects stand on one line each.
    text = re.sub(r"\[\s+(\"[^\[\]{}]*?\")\s+\]", lambda m: "[" + re.sub(r"\",\s+\"", '", "', m.group(1)) + "]", text)
    text = re.sub(r"\{\s+(\"(?:name|language)\": [^{}\[\]]*?)\s+\}", lambda m: "{" + re.sub(r",\n\s+", ", ", m.group(1)) + "}", text)
    return text + "\n"


if __name__ == "__main__":
    for tool in TOOLS:
        path = CATALOGUE / tool / "tool.json"
        description = json.loads(path.read_text(encoding="utf-8"))
        description["functions"] = functions_of(tool)
        path.write_text(dump(description), encoding="utf-8")
