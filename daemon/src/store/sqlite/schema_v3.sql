-- Version 3.

-- Deletions and operations on files.

-- Deployments and sessions.

-- Operation of the file: retention, backups, crash suspects.

-- What the original writes beside us.
