-- Version 3.

-- Deletions and operations on files.

CREATE TABLE store_facts (
    name TEXT PRIMARY KEY,
    value TEXT NOT NULL
) WITHOUT ROWID;
-- The store's id: a data folder belongs to the store whose id it carries.
INSERT INTO store_facts (name, value) VALUES ('store_id', lower(hex(randomblob(16))));

-- What was deleted. Folders go by such a record only.
CREATE TABLE deletions (
    deletion_key INTEGER PRIMARY KEY,
    kind TEXT NOT NULL,
    subject_id TEXT NOT NULL,
    name TEXT NOT NULL,
    deleted_at TEXT NOT NULL,
    owned TEXT NOT NULL,
    -- none: something is still to be done outside of the store
    settled_at TEXT
);
CREATE UNIQUE INDEX deletions_subject ON deletions (kind, subject_id);
CREATE INDEX deletions_open ON deletions (deletion_key) WHERE settled_at IS NULL;
CREATE INDEX deletions_settled ON deletions (settled_at) WHERE settled_at IS NOT NULL;

-- Tools whose plugin is away: they keep their use and their birth for its return.
CREATE TABLE retired_tools (
    tool_id TEXT PRIMARY KEY,
    usage_count INTEGER NOT NULL,
    created_at TEXT NOT NULL
) WITHOUT ROWID;

-- Deployments and sessions.

-- Operation of the file: retention, backups, crash suspects.

-- What the original writes beside us.
