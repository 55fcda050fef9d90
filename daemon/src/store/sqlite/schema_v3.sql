-- Version 3.

-- Deletions and operations on files.

-- Deployments and sessions.

-- Number of an agent's deployment, raised when one is claimed.
ALTER TABLE nexus_agents ADD COLUMN generation INTEGER NOT NULL DEFAULT 0;

-- Operation of the file: retention, backups, crash suspects.

-- What the original writes beside us.
