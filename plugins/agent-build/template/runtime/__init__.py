"""The agent's runtime: server, sessions, routing and the knowledge store."""
