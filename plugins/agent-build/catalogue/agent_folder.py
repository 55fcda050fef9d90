"""Lets Python import the catalogue as it lies in an agent's folder.

There the files of a tool are `tools/<tool>.py`, `intents/<tool>.py` and `tests/test_<tool>.py`, beside what every
agent has (`template/`). Here each tool has a folder of its own; `build.rs` puts the two together for the plugin.
"""
import sys
from importlib.abc import MetaPathFinder
from importlib.util import spec_from_file_location
from pathlib import Path

CATALOGUE = Path(__file__).resolve().parent
TEMPLATE = CATALOGUE.parent / "template"
TOOLS = sorted(path.parent.name for path in CATALOGUE.glob("*/tool.json"))
_PLACES = {
    place % tool: CATALOGUE / tool / name
    for tool in TOOLS
    for place, name in (("tools.%s", "tool.py"), ("intents.%s", "intent.py"), ("tests.test_%s", "test.py"))
}


class _Finder(MetaPathFinder):
    def find_spec(self, fullname, path, target=None):
        place = _PLACES.get(fullname)
        return spec_from_file_location(fullname, place) if place else None


sys.meta_path.insert(0, _Finder())
sys.path.insert(0, str(TEMPLATE))
