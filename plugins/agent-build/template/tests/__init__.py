"""Unit tests of the agent: `python3 -m unittest discover -s tests -t .`."""
