-- Version 2: tools, idempotency keys, figures by day, and what lists of many projects need.

CREATE TABLE nexus_tools (
    tool_key INTEGER PRIMARY KEY,
    tool_id TEXT NOT NULL,
    tool_name TEXT NOT NULL,
    display_name TEXT NOT NULL,
    description TEXT NOT NULL,
    category TEXT NOT NULL,
    source TEXT NOT NULL,
    version TEXT NOT NULL,
    code_path TEXT,
    schema TEXT,
    dependencies TEXT,
    usage_count INTEGER NOT NULL DEFAULT 0,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL,
    -- whose it is, when a build made it
    agent_id TEXT,
    project_id TEXT,
    -- its source text, when no file of a project has it
    code TEXT
);
CREATE UNIQUE INDEX tools_id ON nexus_tools (tool_id);
CREATE INDEX tools_name ON nexus_tools (tool_name);
CREATE INDEX tools_source ON nexus_tools (source, tool_name);
CREATE INDEX tools_category ON nexus_tools (category, tool_name);
CREATE INDEX tools_agent ON nexus_tools (agent_id, tool_name) WHERE agent_id IS NOT NULL;

-- What was answered to a request that may come twice. Without an answer: it is being worked on.
CREATE TABLE idempotency_keys (
    once_key TEXT PRIMARY KEY,
    fingerprint TEXT NOT NULL,
    answer TEXT,
    created_at TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX idempotency_created ON idempotency_keys (created_at);

CREATE TABLE project_tags (
    tag TEXT NOT NULL,
    created_at TEXT NOT NULL,
    project_key INTEGER NOT NULL,
    PRIMARY KEY (tag, created_at, project_key)
) WITHOUT ROWID;
INSERT OR IGNORE INTO project_tags (tag, created_at, project_key)
    SELECT value, created_at, project_key FROM nexus_projects,
        json_each(CASE WHEN json_valid(tags) THEN tags ELSE '[]' END);

CREATE INDEX projects_name ON nexus_projects (project_name, project_key, status, user_id);
DROP INDEX projects_user;
CREATE INDEX projects_user ON nexus_projects (user_id, created_at, project_key, status);
-- What is being built changes with every stage and is no part of it: those are few.
CREATE INDEX projects_rested ON nexus_projects (updated_at, project_key, status, user_id) WHERE status <> 'building';
CREATE INDEX projects_ended ON nexus_projects (completed_at) WHERE completed_at IS NOT NULL;
CREATE INDEX agents_used ON nexus_agents (total_invocations);

-- Figures by day (UTC) and kind. A build counts on the day it ended; what is deleted later stays counted.
CREATE TABLE day_figures (
    day TEXT NOT NULL,
    kind TEXT NOT NULL,
    good INTEGER NOT NULL DEFAULT 0,
    bad INTEGER NOT NULL DEFAULT 0,
    -- milliseconds of the good builds, or of all invocations
    spent REAL NOT NULL DEFAULT 0,
    PRIMARY KEY (kind, day)
) WITHOUT ROWID;
INSERT INTO day_figures (day, kind, good, bad, spent)
    SELECT substr(completed_at, 1, 10), 'build', sum(status = 'completed'), sum(status = 'failed'),
           coalesce(sum((julianday(completed_at) - julianday(started_at)) * 86400000.0)
               FILTER (WHERE status = 'completed'), 0)
    FROM nexus_projects WHERE status IN ('completed', 'failed') AND completed_at IS NOT NULL GROUP BY 1;
INSERT INTO day_figures (day, kind, good, bad, spent)
    SELECT substr(created_at, 1, 10), 'invocation', sum(status = 'success'), sum(status <> 'success'),
           sum(duration_ms)
    FROM nexus_invocations GROUP BY 1;

CREATE TRIGGER build_ended AFTER UPDATE OF status ON nexus_projects
WHEN NEW.status IN ('completed', 'failed') AND OLD.status NOT IN ('completed', 'failed')
BEGIN
    INSERT INTO day_figures (day, kind, good, bad, spent)
    VALUES (substr(coalesce(NEW.completed_at, NEW.updated_at), 1, 10), 'build', NEW.status = 'completed',
            NEW.status = 'failed',
            CASE WHEN NEW.status = 'completed'
                THEN coalesce((julianday(NEW.completed_at) - julianday(NEW.started_at)) * 86400000.0, 0) ELSE 0 END)
    ON CONFLICT (kind, day) DO UPDATE SET good = good + excluded.good, bad = bad + excluded.bad,
        spent = spent + excluded.spent;
END;
CREATE TRIGGER invocation_recorded AFTER INSERT ON nexus_invocations
BEGIN
    INSERT INTO day_figures (day, kind, good, bad, spent)
    VALUES (substr(NEW.created_at, 1, 10), 'invocation', NEW.status = 'success', NEW.status <> 'success',
            NEW.duration_ms)
    ON CONFLICT (kind, day) DO UPDATE SET good = good + excluded.good, bad = bad + excluded.bad,
        spent = spent + excluded.spent;
END;
