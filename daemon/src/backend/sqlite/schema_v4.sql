-- Version 4: what agents are called by people (`store/naming.rs`).

ALTER TABLE nexus_agents ADD COLUMN display_name TEXT NOT NULL DEFAULT '';

-- How many agents have had a name (its hash, in lower case).
CREATE TABLE agent_names (
    name TEXT PRIMARY KEY,
    given INTEGER NOT NULL
) WITHOUT ROWID;
