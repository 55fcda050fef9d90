//! Links of the document: which answer names the thing that another operation takes. Clients and fuzzers
//! walk along them.

use serde_json::{Map, Value, json};

/// Operation and status, where its answer names the thing, and the paths that begin with the thing.
const LINKS: [(&str, &str, &str, &str); 7] = [
    ("createProject", "201", "/data/project_id", "/api/v2/projects/{id}"),
    ("createProject", "201", "/data/project_id", "/api/v2/workflow/{id}"),
    ("createProject", "201", "/data/task_id", "/api/v2/tasks/{id}"),
    ("createSession", "201", "/data/session_id", "/api/v2/sessions/{id}"),
    ("listAgents", "200", "/data/0/agent_id", "/api/v2/agents/{id}"),
    ("listTools", "200", "/data/0/tool_name", "/api/v2/tools/{name}"),
    ("listSessions", "200", "/data/0/session_id", "/api/v2/sessions/{id}"),
];

/// Adds the links to a document's paths.
pub(crate) fn add(paths: &mut Value) {
    for (from, status, pointer, prefix) in LINKS {
        let targets = targets(paths, prefix);
        let parameter = prefix.rsplit_once('{').map_or("id", |(_, name)| name.trim_end_matches('}'));
        let Some(operation) = find(paths, from) else { continue };
        let Some(Value::Object(response)) = operation.pointer_mut(&format!("/responses/{status}")) else { continue };
        let links = response.entry("links").or_insert_with(|| json!({}));
        let Value::Object(links) = links else { continue };
        for target in targets {
            let parameters = json!({ parameter: format!("$response.body#{pointer}") });
            links.insert(target.clone(), json!({ "operationId": target, "parameters": parameters }));
        }
    }
}

/// The operations at and below a path that take nothing else from theirs.
fn targets(paths: &Value, prefix: &str) -> Vec<String> {
    let below = |path: &str| {
        let rest = path.strip_prefix(prefix);
        rest.is_some_and(|rest| (rest.is_empty() || rest.starts_with('/')) && !rest.contains('{'))
    };
    let items = paths.as_object().into_iter().flatten().filter(|(path, _)| below(path));
    let operations = items.flat_map(|(_, item)| item.as_object().into_iter().flat_map(Map::values));
    operations.filter_map(|operation| operation.get("operationId")?.as_str().map(str::to_owned)).collect()
}

fn find<'a>(paths: &'a mut Value, id: &str) -> Option<&'a mut Value> {
    let items = paths.as_object_mut()?.values_mut().filter_map(Value::as_object_mut);
    items.flat_map(|item| item.values_mut()).find(|operation| operation.get("operationId").is_some_and(|o| o == id))
}
