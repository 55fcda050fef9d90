-- Version 5: how much of a requirement is served (`domain/assessment.rs`), as JSON.

ALTER TABLE project_texts ADD COLUMN assessment TEXT;
ALTER TABLE nexus_agents ADD COLUMN assessment TEXT;
