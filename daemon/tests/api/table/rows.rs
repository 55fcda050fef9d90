//! The requests. `{p}` is a built project, `{q}` a queued one, `{a}` its running agent, `{s}` a session, `{t}` a
//! task, `{m}` a message. A status that is not given is 200.

use serde_json::{Value, json};

/// One request and its status.
pub struct Row {
    pub method: &'static str,
    pub path: String,
    pub body: Option<Value>,
    pub status: u16,
}

fn row(method: &'static str, path: &str, body: Option<Value>, status: u16) -> Row {
    Row { method, path: path.to_owned(), body, status }
}

fn get(path: &str) -> Row {
    row("GET", path, None, 200)
}

fn bad(path: &str, status: u16) -> Row {
    row("GET", path, None, status)
}

fn post(path: &str, body: Value, status: u16) -> Row {
    row("POST", path, Some(body), status)
}

fn put(path: &str, body: Value, status: u16) -> Row {
    row("PUT", path, Some(body), status)
}

fn delete(path: &str, status: u16) -> Row {
    row("DELETE", path, None, status)
}

/// Every one, those that change things last.
pub fn all() -> Vec<Row> {
    let mut rows = Vec::new();
    for part in [reads(), wrong_ids(), wrong_queries(), wrong_methods(), bodies(), changes(), ends()] {
        rows.extend(part);
    }
    rows
}

/// Everything that can be read, and its alias.
fn reads() -> Vec<Row> {
    let v2 = [
        "/projects",
        "/projects?page=1&limit=1",
        "/projects?status=queued",
        "/projects?status=",
        "/projects?user_id=anonymous",
        "/projects?tag=t",
        "/projects?q=weather",
        "/projects?sort=-updated_at",
        "/projects?sort=name",
        "/projects?sort=oldest",
        "/projects?page=1000000",
        "/projects?limit=100&unknown=1",
        "/projects/{p}",
        "/projects/{q}",
        "/projects/{p}/",
        "/projects/{p}/stages",
        "/projects/{p}/budget",
        "/projects/{p}/tasks",
        "/projects/{p}/tasks?limit=1",
        "/projects/{p}/build",
        "/projects/{q}/build",
        "/projects/{p}/files",
        "/projects/{p}/files/a.json",
        "/projects/{p}/files/docs/plan.md",
        "/projects/{p}/workflow-report",
        "/projects/{q}/workflow-report",
        "/projects/{p}/stage-docs/plan",
        "/projects/{p}/stage-docs/maker",
        "/projects/{q}/stage-docs/plan",
        "/tasks",
        "/tasks?status=queued&task_type=build_agent",
        "/tasks?project_id={p}",
        "/tasks/{t}",
        "/workflow/{p}/status",
        "/workflow/{q}/status",
        "/workflow/{p}/stages/plan",
        "/workflow/{p}/stages/maker",
        "/workflow/{p}/stages/plan/output",
        "/workflow/{p}/metrics",
        "/workflow/{p}/files",
        "/workflow/{p}/files?stage_name=plan",
        "/workflow/{p}/files/a.json",
        "/agents",
        "/agents?status=running",
        "/agents?category=general&page=1",
        "/agents?project_id={p}",
        "/agents/{a}",
        "/agents/{a}/context",
        "/agents/{a}/budget",
        "/agents/{a}/runtime/health",
        "/agents/{a}/files",
        "/agents/{a}/files?include_content=false",
        "/agents/{a}/files/code",
        "/agents/{a}/files/prompt",
        "/agents/{a}/files/tools",
        "/agents/{a}/sessions",
        "/agents/{a}/sessions?limit=1",
        "/sessions/{s}",
        "/sessions/{s}/messages",
        "/sessions/{s}/messages?limit=1",
        "/sessions/{s}/messages?before={m}",
        "/sessions/{s}/messages?after=2020-01-01T00:00:00Z",
        "/tools",
        "/tools?source=system",
        "/tools?category=x&q=y",
        "/tools/list",
        "/tools/list?type=system",
        "/tools/categories",
        "/tools/mcp/servers",
        "/config",
        "/config/agent_build.toml",
        "/auth/me",
        "/auth/check",
        "/statistics/overview",
        "/statistics/builds",
        "/statistics/builds?days=1",
        "/statistics/invocations?days=90",
        "/statistics/agent-categories",
        "/statistics/top-agents",
        "/statistics/recent-activities?limit=5",
        "/statistics/system-health",
        "/workflows",
        "/plugins",
        "/system",
        "/health",
    ];
    let mut rows: Vec<Row> = v2.iter().map(|path| get(&format!("/api/v2{path}"))).collect();
    for path in
        ["/projects", "/projects/{p}", "/agents", "/tasks/{t}", "/sessions/{s}/messages", "/statistics/overview"]
    {
        rows.push(get(&format!("/api/v1{path}")));
    }
    rows.extend(["/", "/health", "/health/live", "/health/ready", "/openapi.json"].map(get));
    for path in ["/api/v2/projects", "/api/v2/projects/{p}", "/health", "/api/v2/agents/{a}"] {
        rows.push(row("HEAD", path, None, 200));
    }
    rows
}

/// Things that are not there.
fn wrong_ids() -> Vec<Row> {
    let paths = [
        "/projects/proj_none",
        "/projects/proj_none/stages",
        "/projects/proj_none/budget",
        "/projects/proj_none/tasks",
        "/projects/proj_none/build",
        "/projects/proj_none/events",
        "/projects/proj_none/files",
        "/projects/proj_none/files/a",
        "/projects/{p}/files/none",
        "/projects/{p}/files/..%2f..%2fnexus.db",
        "/projects/{p}/files/%2fetc%2fpasswd",
        "/projects/a%2fb",
        "/projects/%00",
        "/projects/proj_none/workflow-report",
        "/projects/proj_none/stage-docs/plan",
        "/projects/{p}/stage-docs/none",
        "/tasks/task_none",
        "/workflow/proj_none/status",
        "/workflow/{p}/stages/none",
        "/workflow/{p}/stages/none/output",
        "/workflow/proj_none/metrics",
        "/workflow/proj_none/files",
        "/workflow/{p}/files/none",
        "/agents/agent_none",
        "/agents/agent_none/context",
        "/agents/agent_none/budget",
        "/agents/agent_none/runtime/health",
        "/agents/agent_none/files",
        "/agents/agent_none/files/code",
        "/agents/agent_none/files/prompt",
        "/agents/agent_none/files/tools",
        "/agents/agent_none/sessions",
        "/sessions/sess-none",
        "/sessions/sess-none/messages",
        "/tools/tool_none",
        "/tools/mcp/servers/none",
        "/config/none.toml",
        "/config/..%2fx.toml",
        "/nothing",
        "/projects/{p}/nothing",
    ];
    let mut rows: Vec<Row> = paths.iter().map(|path| bad(&format!("/api/v2{path}"), 404)).collect();
    rows.extend([bad("/nothing", 404), bad("/api/v3/projects", 404), bad("/docs/none.js", 404)]);
    rows
}

fn wrong_queries() -> Vec<Row> {
    let paths = [
        "/projects?page=0",
        "/projects?page=x",
        "/projects?limit=0",
        "/projects?limit=101",
        "/projects?limit=2.5",
        "/projects?status=no",
        "/projects?sort=no",
        "/projects?cursor=zz",
        "/tasks?status=no",
        "/tasks?task_type=no",
        "/tasks?project_id=a%2fb",
        "/agents?status=no",
        "/agents?limit=-1",
        "/agents/{a}/sessions?limit=0",
        "/sessions/{s}/messages?limit=501",
        "/sessions/{s}/messages?before=yesterday",
        "/tools?source=no",
        "/statistics/builds?days=0",
        "/statistics/builds?days=91",
        "/statistics/invocations?days=0",
        "/statistics/recent-activities?limit=x",
        "/tools/list?type=none",
        "/statistics/top-agents?limit=0",
        "/projects/{p}/tasks?limit=x",
        "/projects/{p}/events?last_event_id=x",
        "/events?type=no",
        "/events?last_event_id=x",
        "/ws?status=no",
        "/agents/{a}/files?include_content=perhaps",
    ];
    let mut rows: Vec<Row> = paths.iter().map(|path| bad(&format!("/api/v2{path}"), 422)).collect();
    rows.push(bad("/api/v2/ws", 426));
    rows
}

fn wrong_methods() -> Vec<Row> {
    let paths = [
        ("PATCH", "/projects"),
        ("PUT", "/projects"),
        ("DELETE", "/projects"),
        ("POST", "/projects/{p}"),
        ("PUT", "/projects/{p}/stages"),
        ("GET", "/projects/{p}/control"),
        ("POST", "/tasks"),
        ("GET", "/workflow/{p}/pause"),
        ("DELETE", "/agents"),
        ("PATCH", "/agents/{a}"),
        ("GET", "/agents/{a}/invoke"),
        ("POST", "/agents/{a}/files"),
        ("POST", "/sessions/{s}"),
        ("PUT", "/sessions/{s}/stream"),
        ("POST", "/tools"),
        ("POST", "/config"),
        ("DELETE", "/config/a.toml"),
        ("GET", "/auth/login"),
        ("POST", "/statistics/overview"),
        ("POST", "/plugins"),
        ("GET", "/plugins/reload"),
        ("POST", "/system"),
        ("POST", "/events"),
        ("GET", "/agentcore/stream"),
    ];
    let mut rows: Vec<Row> =
        paths.iter().map(|(method, path)| row(method, &format!("/api/v2{path}"), None, 405)).collect();
    rows.extend([row("POST", "/health", None, 405), row("DELETE", "/", None, 405)]);
    rows
}

/// Bodies that are refused.
fn bodies() -> Vec<Row> {
    let v2 = |path: &str, body: Value, status| post(&format!("/api/v2{path}"), body, status);
    vec![
        row("POST", "/api/v2/projects", None, 422),
        v2("/projects", json!(null), 422),
        v2("/projects", json!([]), 422),
        v2("/projects", json!({}), 422),
        v2("/projects", json!({ "requirement": "short" }), 422),
        v2("/projects", json!({ "requirement": 7 }), 422),
        v2("/projects", json!({ "requirement": "x".repeat(10_001) }), 422),
        v2("/projects", json!({ "requirement": "long enough text", "priority": 6 }), 422),
        v2("/projects", json!({ "requirement": "long enough text", "priority": 2.5 }), 422),
        v2("/projects", json!({ "requirement": "long enough text", "tags": "a" }), 422),
        v2("/projects", json!({ "requirement": "long enough text", "workflow": "none" }), 422),
        v2("/projects", json!({ "requirement": "long enough text", "deployment": { "target": "moon" } }), 422),
        v2("/projects/{q}/control", json!({}), 422),
        v2("/projects/{q}/control", json!({ "action": "sing" }), 422),
        v2("/projects/{q}/control", json!({ "action": "resume" }), 409),
        v2("/projects/proj_none/control", json!({ "action": "stop" }), 404),
        v2("/projects", json!({ "requirement": "long enough text", "budget": { "usd": -1 } }), 422),
        put("/api/v2/projects/{q}/budget", json!({ "usd": "much" }), 422),
        put("/api/v2/projects/proj_none/budget", json!({ "usd": 1 }), 404),
        v2("/workflow/{q}/resume", json!({}), 409),
        v2("/workflow/{p}/pause", json!({}), 409),
        v2("/workflow/proj_none/stop", json!({}), 404),
        v2("/workflow/{p}/restart", json!({ "from_stage": "none" }), 422),
        v2("/agents/{a}/invoke", json!({}), 422),
        v2("/agents/{a}/invoke", json!({ "input_text": " " }), 422),
        v2("/agents/{a}/invoke", json!({ "input_text": "x", "session_id": "a b" }), 422),
        v2("/agents/agent_none/invoke", json!({ "input_text": "x" }), 404),
        v2("/agents/agent_none/sessions", json!({}), 404),
        v2("/agents/{a}/sessions", json!({ "display_name": "x".repeat(201) }), 422),
        v2("/sessions/{s}/messages", json!({}), 422),
        v2("/sessions/{s}/messages", json!({ "content": "x", "role": "king" }), 422),
        v2("/sessions/{s}/messages", json!({ "content": "x", "files": [{ "filename": "a", "data": "***" }] }), 422),
        v2("/sessions/sess-none/messages", json!({ "content": "x" }), 404),
        v2("/sessions/{s}/stream", json!({}), 422),
        v2("/sessions/sess-none/stream", json!({ "content": "x" }), 404),
        v2("/sessions/{s}/upload", json!({}), 415),
        v2("/tools/none/test", json!({ "parameters": {} }), 404),
        v2("/auth/login", json!({ "username": "a" }), 422),
        v2("/config/a.toml/validate", json!({}), 422),
        v2("/config/a.toml/restore", json!({}), 409),
        v2("/agentcore/stream", json!({}), 422),
        v2(
            "/agentcore/stream",
            json!({ "runtime_arn": "arn:aws:bedrock-agentcore:x:1:runtime/r", "session_id": "s", "content": "c" }),
            409,
        ),
        put("/api/v2/agents/{a}", json!({ "status": "building" }), 422),
        put("/api/v2/agents/{a}", json!({ "capabilities": "x" }), 422),
        put("/api/v2/agents/agent_none", json!({}), 404),
        put("/api/v2/agents/{a}/budget", json!({ "usd_per_day": -1 }), 422),
        put("/api/v2/agents/agent_none/budget", json!({ "tokens_per_day": 1 }), 404),
        put("/api/v2/agents/{a}/files/code", json!({ "content": "def f(:" }), 422),
        put("/api/v2/agents/{a}/files/tools/..%2fx", json!({ "content": "x = 1" }), 404),
        put("/api/v2/agents/{a}/status", json!({}), 422),
        put("/api/v2/agents/{a}/status?status=building", json!({}), 409),
        put("/api/v2/config/a.toml", json!({ "raw_content": "name = " }), 422),
        put("/api/v2/tools/mcp/servers/none", json!({ "disabled": true }), 404),
    ]
}

/// What changes something.
fn changes() -> Vec<Row> {
    let v2 = |path: &str, body: Value, status| post(&format!("/api/v2{path}"), body, status);
    let flow = "name = \"mine\"\n[[stages]]\nname = \"one\"\nhandler = \"a/b\"\n";
    vec![
        v2("/projects", json!({ "requirement": "long enough text" }), 201),
        v2(
            "/projects",
            json!({ "requirement": "long enough text", "priority": "4", "tags": ["a"], "extra": 1, "project_name": "" }),
            201,
        ),
        v2(
            "/projects",
            json!({ "requirement": "long enough text", "priority": 2.0, "deployment": "none", "user_id": null }),
            201,
        ),
        post("/api/v1/projects", json!({ "requirement": "long enough text" }), 201),
        put("/api/v2/projects/{q}/budget", json!({ "usd": 1.5, "tokens": 10 }), 200),
        v2("/projects/{q}/control", json!({ "action": "pause", "reason": "r" }), 200),
        v2("/projects/{q}/control", json!({ "action": "pause" }), 409),
        v2("/projects/{q}/control", json!({ "action": "resume" }), 200),
        v2("/workflow/{q}/pause", json!({ "reason": "r" }), 200),
        v2("/workflow/{q}/resume", json!({ "from_stage": "plan" }), 200),
        v2("/workflow/{q}/stop", json!({}), 200),
        v2("/workflow/{q}/restart", json!({ "from_stage": "plan", "clear_subsequent": true }), 200),
        v2("/projects/{q}/control", json!({ "action": "cancel" }), 200),
        v2("/projects/{q}/control", json!({ "action": "restart", "from_stage": "plan" }), 200),
        v2("/agents/{a}/invoke", json!({ "input_text": "hello" }), 200),
        v2("/agents/{a}/invoke", json!({ "input_text": "hello", "enable_trace": "true", "metadata": { "a": 1 } }), 200),
        row("POST", "/api/v2/agents/{a}/sessions", None, 201),
        v2("/agents/{a}/sessions", json!({ "display_name": "d", "user_id": "u", "metadata": {} }), 201),
        v2("/sessions/{s}/messages", json!({ "content": "hello" }), 201),
        v2(
            "/sessions/{s}/messages",
            json!({ "content": "x", "role": "system", "files": [{ "filename": "a", "data": "aGk=" }] }),
            201,
        ),
        put("/api/v2/agents/{a}", json!({ "description": "new", "tools": ["a"] }), 200),
        put("/api/v2/agents/{a}/budget", json!({ "usd_per_day": 1.5, "tokens_per_day": 10 }), 200),
        put("/api/v2/agents/{a}/files/code", json!({ "content": "x = 1\n" }), 200),
        put("/api/v2/agents/{a}/files/prompt", json!({ "content": "# p", "file_type": "markdown" }), 200),
        put("/api/v2/agents/{a}/files/tools/later", json!({ "content": "y = 1\n" }), 200),
        v2("/config/mine.toml/validate", json!({ "raw_content": flow }), 200),
        v2("/config/mine.toml/validate", json!({ "raw_content": "name = " }), 200),
        put("/api/v2/config/mine.toml", json!({ "raw_content": flow }), 200),
        v2("/config/mine.toml/restore", json!({}), 200),
        v2("/auth/login", json!({ "username": "a", "password": "b" }), 200),
        row("POST", "/api/v2/auth/logout", None, 200),
        row("POST", "/api/v2/plugins/reload", None, 200),
        put("/api/v2/agents/{a}", json!({ "status": "offline" }), 200),
        v2("/agents/{a}/invoke", json!({ "input_text": "hello" }), 409),
        put("/api/v2/agents/{a}/status?status=running", json!({}), 200),
        put("/api/v2/agents/{a}/files/prompt", json!({ "content": "# q", "redeploy": true }), 409),
    ]
}

/// What ends things.
fn ends() -> Vec<Row> {
    let v2 = |path: &str, status| delete(&format!("/api/v2{path}"), status);
    vec![
        v2("/sessions/{s}/stream", 200),
        v2("/sessions/sess-none/stream", 404),
        bad("/api/v2/sessions/{s}/stream", 204),
        bad("/api/v2/sessions/sess-none/stream", 404),
        bad("/api/v2/sessions/{s}/stream?last_event_id=x", 422),
        v2("/sessions/{s}", 200),
        v2("/sessions/{s}", 404),
        v2("/agents/{a}?delete_local_files=perhaps", 422),
        v2("/agents/{a}?delete_local_files=true&delete_cloud_resources=false", 200),
        v2("/agents/{a}", 404),
        v2("/projects/{p}?delete_agents=no", 200),
        v2("/projects/{p}", 404),
        v2("/projects/{q}?delete_agents=true", 200),
    ]
}
