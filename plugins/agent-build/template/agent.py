"""Entry point of the agent: `python3 agent.py` serves it over HTTP.

Everything else is in `runtime/` (server, sessions, routing), `tools/` (what the
agent can do), `intents/` (how a question reaches a tool) and `knowledge/` (what
the requirement told it). The environment: PORT, HOST, and MODEL_PROVIDER with
MODEL_ID when a language model shall answer instead of the offline router; it gets
the same tools and the prompt in `prompts/` (see `runtime/model_engine.py`).
"""
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

from runtime.server import serve  # noqa: E402  (the path must be set first)

if __name__ == "__main__":
    sys.exit(serve(HERE))
