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

-- Number of an agent's deployment, raised when one is claimed.
ALTER TABLE nexus_agents ADD COLUMN generation INTEGER NOT NULL DEFAULT 0;

-- Operation of the file: retention, backups, crash suspects.

-- What the file remembers of those that had it open.
CREATE TABLE file_notes (
    name TEXT PRIMARY KEY,
    value NOT NULL
) WITHOUT ROWID;
-- crash_points counts daemons that died while they worked on the message; of these, those that broke by their own
-- word, and those with no other suspect.
UPDATE queue_messages SET crash_points = min(crash_points, 1);
ALTER TABLE queue_messages ADD COLUMN faults INTEGER NOT NULL DEFAULT 0;
ALTER TABLE queue_messages ADD COLUMN solo_crashes INTEGER NOT NULL DEFAULT 0;
ALTER TABLE queue_messages ADD COLUMN quarantine INTEGER NOT NULL DEFAULT 0;
-- Milliseconds that the last build took, from the first claim of its task.
ALTER TABLE nexus_projects ADD COLUMN spent_ms REAL;
DROP TRIGGER build_ended;
CREATE TRIGGER build_ended AFTER UPDATE OF status ON nexus_projects
WHEN NEW.status IN ('completed', 'failed') AND OLD.status NOT IN ('completed', 'failed')
BEGIN
    INSERT INTO day_figures (day, kind, good, bad, spent)
    VALUES (substr(coalesce(NEW.completed_at, NEW.updated_at), 1, 10), 'build', NEW.status = 'completed',
            NEW.status = 'failed', CASE WHEN NEW.status = 'completed' THEN max(coalesce(NEW.spent_ms, 0), 0) ELSE 0 END)
    ON CONFLICT (kind, day) DO UPDATE SET good = good + excluded.good, bad = bad + excluded.bad,
        spent = spent + excluded.spent;
END;
-- Agents that are gone, whose rows up to these keys are still being removed.
CREATE TABLE doomed_agents (
    agent_id TEXT PRIMARY KEY,
    last_session INTEGER NOT NULL,
    last_invocation INTEGER NOT NULL
) WITHOUT ROWID;
-- Sessions that are gone, whose messages are still being removed.
CREATE TABLE doomed_sessions (
    session_key INTEGER PRIMARY KEY
);

-- Projects that are gone, whose events are still being removed.
CREATE TABLE doomed_projects (
    project_key INTEGER PRIMARY KEY
);

-- What the original writes beside us.
