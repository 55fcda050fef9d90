"""The agent's tools: plain typed functions, one module per tool."""
