//! One of each payload, as JSON in `golden/`: what a plugin in another language reads and writes.
//! A change here is a change of the interface. `UPDATE_GOLDEN=1` rewrites the files.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used)]

use std::{collections::BTreeMap, path::Path};

use nexus_plugin_api::payload::*;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Map, Value, json};

/// The value is written as the file says, and the file is read as the value.
fn golden<T: Serialize + DeserializeOwned>(name: &str, value: &T) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(format!("{name}.json"));
    let written = serde_json::to_string_pretty(value).unwrap() + "\n";
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&file, &written).unwrap();
    }
    let committed = std::fs::read_to_string(&file).unwrap_or_default();
    assert_eq!(written, committed, "{}: run with UPDATE_GOLDEN=1 if the change is meant", file.display());
    let read: T = serde_json::from_str(&committed).unwrap();
    assert_eq!(serde_json::to_value(read).unwrap(), serde_json::to_value(value).unwrap());
    // A newer side may send more fields, anywhere.
    let newer = with_unknown_fields(serde_json::to_value(value).unwrap());
    assert!(serde_json::from_value::<T>(newer).is_ok(), "{name} does not bear unknown fields");
}

fn with_unknown_fields(value: Value) -> Value {
    match value {
        Value::Object(mut map) => {
            map = map.into_iter().map(|(k, v)| (k, with_unknown_fields(v))).collect();
            map.insert("a_field_of_tomorrow".into(), json!("unknown"));
            Value::Object(map)
        }
        Value::Array(items) => items.into_iter().map(with_unknown_fields).collect(),
        other => other,
    }
}

fn object(value: Value) -> Map<String, Value> {
    value.as_object().unwrap().clone()
}

fn agent() -> AgentRef {
    AgentRef {
        agent_id: "agent_01J9ZQ4W3N".into(),
        agent_name: "weather".into(),
        project_id: "proj_01J9ZQ4W3M".into(),
        agent_dir: "/var/lib/nexusd/projects/proj_01J9ZQ4W3M/agents/weather".into(),
        state_dir: "/var/lib/nexusd/agents/agent_01J9ZQ4W3N".into(),
        config: json!({"region": "us-west-2"}),
        details: object(json!({"runtime_arn": "arn:aws:bedrock-agentcore:us-west-2:123456789012:runtime/weather-x"})),
        generation: 3,
        files: [("agent.py".to_owned(), "9f".repeat(32))].into(),
    }
}

fn request(handler: &str, operation: Operation) -> Request {
    Request { version: PAYLOAD_VERSION, handler: handler.into(), operation }
}

#[test]
fn description() {
    let description = Description::new("greeter", "1.2.0", "greets projects and agents")
        .stage("greet", "greets the project")
        .deploy("shelf", "puts the agent on a shelf");
    golden("description", &description);
    let with_tools = Description::new("weather", "1.2.0", "builds agents that know the weather")
        .stage("build", "builds the agent")
        .tool(ToolInfo { files: vec!["runtime/units.py".into()], ..tool("tools/weather.py") })
        .tool_file("tools/weather.py", "def get_weather(city, unit=\"celsius\"):\n    return {\"city\": city}\n")
        .tool_file("runtime/units.py", "UNITS = (\"celsius\", \"kelvin\")\n");
    golden("description-tools", &with_tools);
    let with_settings = Description::new("greeter", "1.3.0", "greets in the language of the settings")
        .stage("greet", "greets the project")
        .settings(json!({
            "type": "object",
            "additionalProperties": false,
            "properties": {
                "words": {"type": "string", "format": "path", "default": "words.txt", "description": "File of greetings."},
                "limit_secs": {"type": "integer", "minimum": 1, "unit": "seconds", "default": 5, "description": "Longest greeting."},
                "api_key": {"type": "string", "writeOnly": true, "default": "", "description": "Of the translator."},
            },
        }));
    golden("description-settings", &with_settings);
}

fn tool(code_path: &str) -> ToolInfo {
    ToolInfo {
        display_name: "Weather".into(),
        description: "Tells the weather of a city.".into(),
        category: "information".into(),
        version: "1.0.0".into(),
        package: "weather".into(),
        dependencies: vec!["requests>=2".into()],
        parameters: json!({
            "type": "object",
            "properties": {
                "city": {"type": "string", "description": "Its name."},
                "unit": {"type": "string", "default": "celsius"},
            },
            "required": ["city"],
        }),
        return_type: Some("object".into()),
        ..ToolInfo::python("get_weather", code_path)
    }
}

#[test]
fn requests() {
    let run = StageRequest {
        project_id: "proj_01J9ZQ4W3M".into(),
        project_name: "weather agent".into(),
        requirement: "An agent that tells the weather of a city.".into(),
        user_id: "user-1".into(),
        tags: vec!["demo".into()],
        stage: "tools_developer".into(),
        stage_number: 5,
        attempt: 1,
        workspace: "/var/lib/nexusd/projects/proj_01J9ZQ4W3M".into(),
        inputs: BTreeMap::from([("requirements_analyzer".into(), json!({"goals": ["tell the weather"]}))]),
        options: json!({"language": "en"}),
        deployment: json!({"target": "local"}),
        models: Some(ModelAccess {
            base_url: "http://127.0.0.1:41753/v1".into(),
            socket: Some("/var/lib/nexusd/run/models.sock".into()),
            token: "nxm.e30.c2lnbmF0dXJl".into(),
            models: BTreeMap::from([("smart".into(), "anthropic/claude-sonnet-4-5".into())]),
        }),
    };
    golden("request-run", &request("greet", Operation::Run(Box::new(run))));
    golden("request-deploy", &request("shelf", Operation::Deploy(agent())));
    golden("request-undeploy", &request("shelf", Operation::Undeploy(agent())));
    golden("request-status", &request("shelf", Operation::Status(agent())));
    let invoke = InvokeRequest {
        agent: agent(),
        session_id: "session-01J9ZQ4W3P0000000000000000".into(),
        input_text: "And tomorrow?".into(),
        history: vec![
            HistoryMessage { role: "user".into(), content: "How is the weather in Oslo?".into() },
            HistoryMessage { role: "assistant".into(), content: "Rain.".into() },
        ],
        enable_trace: true,
        metadata: json!({"channel": "web"}),
    };
    golden("request-invoke", &request("shelf", Operation::Invoke(Box::new(invoke))));
}

#[test]
fn results() {
    let usage = Usage { input_tokens: 1200, output_tokens: 340, model_id: Some("anthropic.claude-sonnet-4".into()) };
    let run = StageResult {
        output: object(json!({"tools": ["get_weather"]})),
        document: Some(Document { path: "docs/tools.md".into(), content: "# Tools".into() }),
        files: vec!["agents/weather/tools.py".into()],
        usage: usage.clone(),
        tool_calls: 3,
        skipped: false,
        agent: Some(AgentManifest {
            agent_name: "weather".into(),
            display_name: "Weather of a city".into(),
            description: "Tells the weather of a city.".into(),
            category: "information".into(),
            version: "1.0.0".into(),
            capabilities: vec!["forecast".into()],
            tools: vec!["get_weather".into()],
            tool_infos: vec![tool("agents/weather/tools.py")],
            agent_dir: "agents/weather".into(),
            prompt_path: "agents/weather/prompt.md".into(),
            code_path: "agents/weather/agent.py".into(),
        }),
        assessment: Some(Assessment {
            coverage: "partial".into(),
            not_served: vec![NotServed { text: "sends mail".into(), reason: "no connection to a mail server".into() }],
            acceptance: Some(json!({"asked": 3, "passed": 3, "failed": 0, "unproven": 0, "items": []})),
        }),
    };
    golden("result-run", &run);
    let deploy =
        DeployResult { endpoint: Some("http://127.0.0.1:40123".into()), details: object(json!({"pid": 4711})) };
    golden("result-deploy", &deploy);
    let status = AgentStatus {
        state: AgentState::Running,
        message: "since 12 s".into(),
        details: object(json!({"restarts": 0})),
    };
    golden("result-status", &status);
    let call = ToolCall {
        id: "t1".into(),
        name: "get_weather".into(),
        input: json!({"city": "Oslo"}),
        result: "sun".into(),
        status: "success".into(),
    };
    let invoke =
        InvokeResult { output: "Sun.".into(), usage, tool_calls: vec![call], trace: Some(json!([{"step": "tool"}])) };
    golden("result-invoke", &invoke);
}

#[test]
fn events() {
    let events = vec![
        Event::Log { level: LogLevel::Info, message: "reading the requirement".into() },
        Event::Progress { value: 0.25, message: "designing".into() },
        Event::Tokens { input: 1200, output: 340 },
        Event::Text { delta: "The agent ".into() },
        Event::ToolStart { id: "t1".into(), name: "get_weather".into() },
        Event::ToolInput { id: "t1".into(), delta: "{\"city\":".into() },
        Event::ToolEnd {
            id: "t1".into(),
            name: "get_weather".into(),
            input: json!({"city": "Oslo"}),
            result: "sun".into(),
            failed: false,
        },
        Event::File { path: "agents/weather/agent.py".into() },
    ];
    golden("events", &events);
}

#[test]
fn failures() {
    golden("failure", &Failure::transient("the model is overloaded: try later").with_details("HTTP 529"));
    for (kind, word) in [
        (FailureKind::Transient, "transient"),
        (FailureKind::Permanent, "permanent"),
        (FailureKind::InvalidInput, "invalid_input"),
        (FailureKind::Cancelled, "cancelled"),
    ] {
        assert_eq!(serde_json::to_value(kind).unwrap(), json!(word));
    }
}

/// What a small plugin may leave out.
#[test]
fn the_shortest_forms_are_understood() {
    let read = |json: Value| serde_json::from_value::<StageResult>(json);
    assert_eq!(read(json!({"output": {}})).unwrap(), StageResult::default());
    assert_eq!(serde_json::from_value::<DeployResult>(json!({})).unwrap(), DeployResult::default());
    assert!(serde_json::from_value::<AgentStatus>(json!({"state": "idle"})).is_ok());
    assert!(serde_json::from_value::<InvokeResult>(json!({"output": ""})).is_ok());
    assert!(serde_json::from_value::<Event>(json!({"type": "progress", "value": 1})).is_ok());
    assert!(serde_json::from_value::<Failure>(json!({"kind": "permanent", "message": "no"})).is_ok());
    let tool: ToolInfo = serde_json::from_value(json!({"name": "now", "code_path": "now.py"})).unwrap();
    assert_eq!(tool, ToolInfo::python("now", "now.py"));
    assert_eq!(tool.function(), "now");
    // A plugin of before knows no tools, and says nothing of them.
    let old: Description = serde_json::from_value(json!({"name": "p", "version": "1", "handlers": []})).unwrap();
    assert_eq!(serde_json::to_value(old).unwrap(), json!({"name": "p", "version": "1", "summary": "", "handlers": []}));
}

#[test]
fn unknown_kinds_are_refused_by_name() {
    let error = |json: Value| serde_json::from_value::<Event>(json).unwrap_err().to_string();
    assert!(error(json!({"type": "smell"})).contains("unknown variant `smell`"));
    let request = json!({"version": 1, "handler": "h", "op": "dance", "body": {}});
    let error = serde_json::from_value::<Request>(request).unwrap_err().to_string();
    assert!(error.contains("unknown variant `dance`"), "{error}");
}
