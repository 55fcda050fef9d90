//! A real Strands agent, from the package index, answers inside the walls: it reaches its model and nothing else.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use nexus_deploy_local::Settings;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::{TcpListener, TcpStream},
};

use crate::{bench::*, model::access};

const REQUIREMENTS: &str = include_str!("strands/requirements.txt");
const AGENT: &str = include_str!("strands/agent.py");
const TOOL: &str = include_str!("strands/multiply.py");

/// An environment with the packages, made by the first test that needs it: some 30 s, 160 MB.
fn python() -> PathBuf {
    let home = Path::new(env!("CARGO_TARGET_TMPDIR")).join("strands-venv");
    let mark = home.join("installed.txt");
    let lock = fs::File::create(home.with_extension("lock")).unwrap();
    lock.lock().unwrap();
    if fs::read_to_string(&mark).is_ok_and(|installed| installed == REQUIREMENTS) {
        return home.join("bin/python");
    }
    let _ = fs::remove_dir_all(&home);
    let run = |command: &mut Command, hint: &str| {
        let output = command.output().unwrap_or_else(|error| panic!("{hint}: {error}"));
        assert!(output.status.success(), "{hint}:\n{}", String::from_utf8_lossy(&output.stderr));
    };
    run(Command::new("python3").args(["-m", "venv"]).arg(&home), "python3 with its venv module is needed");
    run(
        Command::new(home.join("bin/pip"))
            .args(["install", "--quiet", "--disable-pip-version-check"])
            .args(REQUIREMENTS.split_whitespace()),
        "the packages of Strands are needed: is the package index reachable?",
    );
    fs::write(mark, REQUIREMENTS).unwrap();
    home.join("bin/python")
}

/// The folder of an agent as builds make it, with a tool that tries what it may not.
fn lay_template(folder: &Path) {
    let template = Path::new(env!("CARGO_MANIFEST_DIR")).join("../agent-build/template");
    let copied = Command::new("cp").arg("-r").arg(format!("{}/.", template.display())).arg(folder).status().unwrap();
    assert!(copied.success());
    let write = |path: &str, text: &str| fs::write(folder.join(path), text).unwrap();
    fs::create_dir_all(folder.join("prompts")).unwrap();
    write("prompts/multiplier.md", "You multiply.");
    write("tools/multiply.py", TOOL);
    write("intents/multiply.py", "def propose(question):\n    return None\n");
    let manifest = json!({
        "listen": "socket", "agent_name": "multiplier", "language": "en", "site_packages": false, "model_id": "p/m",
        "prompt_path": "prompts/multiplier.md", "tools": [{ "id": "multiply" }], "knowledge": [], "examples": [],
    });
    write("manifest.json", &manifest.to_string());
}

/// Speaks as OpenAI's chat completions do: asks for the tool, then answers with what the tool said.
async fn model(listener: TcpListener) {
    loop {
        let (connection, _) = listener.accept().await.unwrap();
        tokio::spawn(converse(connection));
    }
}

async fn converse(connection: TcpStream) {
    let mut connection = BufReader::new(connection);
    let mut length = 0;
    let mut line = String::new();
    while connection.read_line(&mut line).await.is_ok_and(|read| read > 2) {
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
        line.clear();
    }
    let mut body = vec![0; length];
    connection.read_exact(&mut body).await.unwrap();
    let request: Value = serde_json::from_slice(&body).unwrap();
    let last = request["messages"].as_array().unwrap().last().unwrap();
    let (delta, reason) = if last["role"] == "tool" {
        let said = last["content"].to_string();
        let product =
            said.chars().skip_while(|c| !c.is_ascii_digit()).take_while(char::is_ascii_digit).collect::<String>();
        (json!({ "role": "assistant", "content": format!("It is {product}.") }), "stop")
    } else {
        let call = json!({ "name": "multiply", "arguments": r#"{"a": 17, "b": 23}"# });
        let calls = json!([{ "index": 0, "id": "call_1", "type": "function", "function": call }]);
        (json!({ "role": "assistant", "tool_calls": calls }), "tool_calls")
    };
    let chunk = |choices: Value, usage: Value| {
        let chunk = json!({
            "id": "c", "object": "chat.completion.chunk", "created": 1, "model": "scripted", "choices": choices, "usage": usage,
        });
        format!("data: {chunk}\n\n")
    };
    let usage = json!({ "prompt_tokens": 7, "completion_tokens": 5, "total_tokens": 12 });
    let text = [
        chunk(json!([{ "index": 0, "delta": delta, "finish_reason": null }]), Value::Null),
        chunk(json!([{ "index": 0, "delta": {}, "finish_reason": reason }]), Value::Null),
        chunk(json!([]), usage),
        "data: [DONE]\n\n".to_owned(),
    ]
    .concat();
    let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n";
    connection.write_all(format!("{head}{text}").as_bytes()).await.unwrap();
    let _ = connection.shutdown().await;
}

#[tokio::test]
async fn a_strands_agent_answers_inside_the_walls() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let other = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (port, other_port) = (listener.local_addr().unwrap().port(), other.local_addr().unwrap().port());
    let mut other = Some(other);
    let served = tokio::spawn(model(listener));
    let python = python().display().to_string();
    let bench = bench_with(Settings { python, ready_timeout_secs: 60, ..Settings::default() });
    let secret = bench.folder.path().join("secret");
    fs::write(&secret, "hunter2").unwrap();
    let mut env = json!({ "SECRET": secret, "OTHER_PORT": other_port });
    for listen in ["socket", "port"] {
        let mut agent = bench.agent(listen, "");
        if listen == "socket" {
            lay_template(&agent.agent_dir);
            agent.models = Some(access(port));
        } else {
            fs::write(agent.agent_dir.join("agent.py"), AGENT).unwrap();
            let manifest = json!({ "listen": listen, "connect": [port] });
            fs::write(agent.agent_dir.join("manifest.json"), manifest.to_string()).unwrap();
            env["MODEL_URL"] = format!("http://127.0.0.1:{port}/v1").into();
        }
        agent.config = json!({ "env": env });
        let deployed = bench.deploy(&agent).await.unwrap();
        assert!(!deployed.details.contains_key("degraded"), "{deployed:?}");
        let answer = bench.ask(&agent, "What is 17 * 23?").await.unwrap();
        if listen == "socket" {
            assert_eq!(answer.output, "It is 391.");
            let call = &answer.tool_calls[0];
            assert_eq!((call.name.as_str(), &call.input), ("multiply", &json!({ "a": 17, "b": 23 })));
            assert_eq!(call.result, r#"{"product": 391, "reached": []}"#);
            // Two calls of the model, each of 7 and 5.
            assert_eq!((answer.usage.input_tokens, answer.usage.output_tokens), (14, 10));
            assert_eq!(answer.usage.model_id.as_deref(), Some("openai/fast"));
        } else {
            assert_eq!(answer.output, "It is 391. (reached: nothing)");
        }
        let status = bench.status(&agent).await;
        for wall in ["landlock", "seccomp", "subreaper"] {
            assert!(status.details["guards"].as_array().unwrap().iter().any(|guard| guard == wall), "{status:?}");
        }
        assert!(!status.details.contains_key("without"), "{status:?}");
        if listen == "socket" {
            // Its model is gone: an answer with a reason, in the language of the question.
            agent.models = Some(access(other_port));
            bench.deploy(&agent).await.unwrap();
            drop(other.take());
            let answer = bench.ask(&agent, "还有 3 乘 4 呢？请算一下").await.unwrap();
            assert!(answer.output.contains("目前无法连接到语言模型"), "{answer:?}");
            assert_eq!((answer.usage.input_tokens, answer.tool_calls.len()), (0, 0));
        }
        bench.undeploy(&agent).await;
    }
    served.abort();
}
