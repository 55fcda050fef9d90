-- Version 6: keys and sessions of callers (`store/credentials.rs`). `record` is JSON and holds hashes of secrets, no secret.

CREATE TABLE credentials (
    class TEXT NOT NULL,
    credential_id TEXT NOT NULL,
    revision INTEGER NOT NULL,
    ends_at TEXT,
    last_used_at TEXT,
    record TEXT NOT NULL,
    PRIMARY KEY (class, credential_id)
) WITHOUT ROWID;
