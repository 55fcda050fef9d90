"""The unit tests of every tool, as the agent's folder has them.

Run: `python3 -m unittest discover -s catalogue/tests -p test_tools.py`; of one tool with `-k '*calculator*'`.
"""
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from agent_folder import TOOLS  # noqa: E402


def load_tests(loader, _tests, _pattern):
    return unittest.TestSuite(loader.loadTestsFromName("tests.test_" + tool) for tool in TOOLS)
