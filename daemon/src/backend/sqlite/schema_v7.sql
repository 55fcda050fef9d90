-- Version 7: what the vendor of a deployment target calls things by, as JSON (`domain/agent.rs`, `Deployment`), in place
-- of a column for each name of one vendor.

ALTER TABLE nexus_agents ADD COLUMN deployment_options TEXT;
UPDATE nexus_agents SET deployment_options = json_patch('{}', json_object(
    'agentcore_config', json(agentcore_config),
    'agentcore_runtime_arn', agentcore_runtime_arn,
    'agentcore_runtime_alias', agentcore_runtime_alias,
    'agentcore_region', agentcore_region))
WHERE coalesce(agentcore_config, agentcore_runtime_arn, agentcore_runtime_alias, agentcore_region) IS NOT NULL;
ALTER TABLE nexus_agents DROP COLUMN agentcore_config;
ALTER TABLE nexus_agents DROP COLUMN agentcore_runtime_arn;
ALTER TABLE nexus_agents DROP COLUMN agentcore_runtime_alias;
ALTER TABLE nexus_agents DROP COLUMN agentcore_region;
