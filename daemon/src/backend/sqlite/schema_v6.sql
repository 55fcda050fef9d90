-- Version 6: an agent's files by their hashes, as JSON; keys and sessions of callers (`store/credentials.rs`), of which
-- `record` is JSON and holds hashes of secrets, no secret.

ALTER TABLE nexus_agents ADD COLUMN file_hashes TEXT;

CREATE TABLE credentials (
    class TEXT NOT NULL,
    credential_id TEXT NOT NULL,
    revision INTEGER NOT NULL,
    ends_at TEXT,
    last_used_at TEXT,
    record TEXT NOT NULL,
    PRIMARY KEY (class, credential_id)
) WITHOUT ROWID;
