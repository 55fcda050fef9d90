//! Agents of a language model: the real binary, real Python with Strands, the gate, and behind it a double of OpenAI.

use std::{
    fs,
    path::Path,
    sync::{Arc, Mutex},
};

use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::{TcpListener, TcpStream},
    sync::Notify,
    task::JoinHandle,
};

use super::support::{Daemon, Home, PATIENCE, sse::Stream, venv};

/// The provider's key: it must be nowhere but with the daemon.
const KEY: &str = "sk-provider-secret-4711";
/// Tokens in and out that the double reports, for its two kinds of answers.
const CALLING: (u64, u64) = (1234, 56);
const SAYING: (u64, u64) = (2345, 67);

/// What the double was asked: the header of each request, and its body.
type Asked = Arc<Mutex<Vec<(String, Value)>>>;

struct Double {
    url: String,
    asked: Asked,
    /// That the first word of an answer has arrived: before, it says no second one.
    heard: Arc<Notify>,
    task: JoinHandle<()>,
}

impl Double {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/v1", listener.local_addr().unwrap());
        let asked = Asked::default();
        let heard = Arc::<Notify>::default();
        let (told, first) = (Arc::clone(&asked), Arc::clone(&heard));
        let task = tokio::spawn(async move {
            while let Ok((connection, _)) = listener.accept().await {
                tokio::spawn(answer(connection, Arc::clone(&told), Arc::clone(&first)));
            }
        });
        Self { url, asked, heard, task }
    }

    fn asked(&self) -> Vec<(String, Value)> {
        self.asked.lock().unwrap().clone()
    }
}

/// Asks for the calculator, then says what it found, word by word.
async fn answer(connection: TcpStream, asked: Asked, heard: Arc<Notify>) {
    let mut connection = BufReader::new(connection);
    let (mut head, mut length, mut line) = (String::new(), 0, String::new());
    while connection.read_line(&mut line).await.is_ok_and(|read| read > 2) {
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
        head.push_str(&line);
        line.clear();
    }
    let mut body = vec![0; length];
    if connection.read_exact(&mut body).await.is_err() {
        return;
    }
    let Ok(request) = serde_json::from_slice::<Value>(&body) else {
        let nothing = "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
        let _ = connection.write_all(nothing.as_bytes()).await;
        return;
    };
    let last = request["messages"].as_array().unwrap().last().unwrap().clone();
    asked.lock().unwrap().push((head, request));
    let (deltas, reason, (input, output)) = if last["role"] == "tool" {
        let said = last["content"].to_string();
        let found = if said.contains("12") { "12" } else { "unknown" };
        let word = |text: &str| json!({ "role": "assistant", "content": text });
        (vec![word("It is "), word(found), word(".")], "stop", SAYING)
    } else {
        let call = json!({ "name": "calculate", "arguments": r#"{"expression": "80*0.15"}"# });
        let calls = json!([{ "index": 0, "id": "call_1", "type": "function", "function": call }]);
        (vec![json!({ "role": "assistant", "tool_calls": calls })], "tool_calls", CALLING)
    };
    let chunk = |choices: Value, usage: Value| {
        let chunk = json!({
            "id": "c", "object": "chat.completion.chunk", "created": 1, "model": "scripted", "choices": choices, "usage": usage,
        });
        format!("data: {chunk}\n\n")
    };
    let mut text = String::from("HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n");
    for (place, delta) in deltas.into_iter().enumerate() {
        if place == 1 {
            let _ = connection.write_all(std::mem::take(&mut text).as_bytes()).await;
            let _ = connection.flush().await;
            tokio::time::timeout(PATIENCE, heard.notified())
                .await
                .expect("the first word arrives before the second is said");
        }
        text.push_str(&chunk(json!([{ "index": 0, "delta": delta, "finish_reason": null }]), Value::Null));
    }
    text.push_str(&chunk(json!([{ "index": 0, "delta": {}, "finish_reason": reason }]), Value::Null));
    let usage = json!({ "prompt_tokens": input, "completion_tokens": output, "total_tokens": input + output });
    text.push_str(&chunk(json!([]), usage));
    text.push_str("data: [DONE]\n\n");
    let _ = connection.write_all(text.as_bytes()).await;
    let _ = connection.shutdown().await;
}

/// Asks in a new session; the frames of the answer.
async fn ask(daemon: &Daemon, agent: &str, question: &str, heard: &Notify) -> Vec<Value> {
    let (_, session) = daemon.post(&format!("/agents/{agent}/sessions"), &json!({})).await;
    let session = session["data"]["session_id"].as_str().expect("an id").to_owned();
    let request = daemon.http().post(daemon.at(&format!("/sessions/{session}/stream")));
    let mut stream = Stream::new(request.json(&json!({ "content": question })).send().await.expect("a stream"));
    let mut frames: Vec<Value> = Vec::new();
    while let Some(frame) = stream.next().await {
        if frame.data["type"] == "text" && text_of(&frames).is_empty() {
            heard.notify_one();
        }
        frames.push(frame.data);
    }
    frames
}

fn text_of(frames: &[Value]) -> String {
    frames.iter().filter(|frame| frame["type"] == "text").filter_map(|frame| frame["data"].as_str()).collect()
}

/// Every file below a folder in which one of these words stands.
fn files_with(folder: &Path, words: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() && !path.is_symlink() {
            found.extend(files_with(&path, words));
        } else if let Ok(bytes) = fs::read(&path) {
            let has = |word: &&str| bytes.windows(word.len()).any(|part| part == word.as_bytes());
            found.extend(words.iter().any(has).then(|| path.display().to_string()));
        }
    }
    found
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_agent_talks_to_its_model_through_the_gate_alone() {
    let double = Double::start().await;
    let python = venv::strands();
    let mut home = Home::new(&format!(
        "[models]\nattempts = 1\n[models.routes]\nfast = [\"openai/scripted\"]\n\
         [pricing.scripted]\ninput_usd_per_million = 3.0\noutput_usd_per_million = 15.0\n\
         [plugins.agent-build]\nprovider = \"blueprint\"\n[plugins.deploy-local]\npython = {python:?}\n"
    ));
    home.set("OPENAI_API_KEY", KEY);
    home.set("NEXUSD_MODELS__DISCOVER", "true");
    home.set("OPENAI_BASE_URL", &double.url);
    let daemon = home.start();
    let wish = json!({
        "requirement": "A calculator for percentages, tips and general arithmetic.",
        "deployment": { "target": "local", "model": "fast" },
    });
    let (status, made) = daemon.post("/projects", &wish).await;
    assert_eq!(status, 201, "{made:#}");
    let project = made["data"]["project_id"].as_str().expect("an id").to_owned();
    let agent = daemon.wait_for_agent(&project).await["agent_id"].as_str().expect("an id").to_owned();
    let (_, detail) = daemon.get(&format!("/agents/{agent}")).await;
    assert_eq!(detail["data"]["model"], "fast", "{detail:#}");
    assert_eq!(detail["data"]["budget"]["used_tokens_today"], 0, "{detail:#}");

    // Its answer comes piece by piece: the tool, what it found, the words.
    let frames = ask(&daemon, &agent, "What is 15% of 80?", &double.heard).await;
    let kinds: Vec<&str> = frames.iter().filter_map(|frame| frame["type"].as_str()).collect();
    let first = frames.iter().find(|frame| frame["type"] == "text").expect("a text");
    assert_eq!(first["data"], "It is ", "{frames:#?}");
    let place = |wanted: &str| kinds.iter().position(|kind| *kind == wanted).unwrap_or_else(|| panic!("{frames:#?}"));
    assert!(place("tool_use") < place("tool_end") && place("tool_end") < place("text"), "{kinds:?}");
    assert_eq!(text_of(&frames), "It is 12.");
    let metrics = &frames.iter().find(|frame| frame["event"] == "done").expect("an end")["metrics"];
    let (input, output) = (CALLING.0 + SAYING.0, CALLING.1 + SAYING.1);
    assert_eq!((&metrics["input_tokens"], &metrics["output_tokens"]), (&json!(input), &json!(output)), "{frames:#?}");

    // The books have the same, to the digit.
    let (_, budget) = daemon.get(&format!("/agents/{agent}/budget")).await;
    let used = (input * 3 + output * 15) as f64 / 1e6;
    assert_eq!(budget["data"]["used_tokens_today"], input + output, "{budget:#}");
    assert!((budget["data"]["used_usd_today"].as_f64().unwrap() - used).abs() < 1e-12, "{budget:#} {used}");

    // The provider heard the key from the daemon; nothing of the agent has it, and no file has a token.
    let asked = double.asked();
    assert_eq!(asked.len(), 2);
    assert!(asked.iter().all(|(head, _)| head.contains(&format!("Bearer {KEY}"))), "{asked:#?}");
    let tools = asked[0].1["tools"].as_array().expect("tools");
    assert!(tools.iter().any(|tool| tool["function"]["name"] == "calculate"), "{tools:#?}");
    assert!(
        asked[0].1["max_tokens"]
            .as_u64()
            .or(asked[0].1["max_completion_tokens"].as_u64())
            .is_some_and(|most| most <= 2048)
    );
    let folder = home.data().join("projects").join(&project).join("agent").canonicalize().unwrap();
    let environs: Vec<String> = fs::read_dir("/proc")
        .unwrap()
        .flatten()
        .map(|entry| entry.path())
        .filter(|process| fs::read_link(process.join("cwd")).is_ok_and(|cwd| cwd == folder))
        .filter_map(|process| fs::read(process.join("environ")).ok())
        .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
        .collect();
    let own = environs.iter().find(|environ| environ.contains("OPENAI_API_KEY=nxm.")).expect("the agent runs");
    let token = own.split('\0').find_map(|variable| variable.strip_prefix("OPENAI_API_KEY=")).unwrap();
    assert!(environs.iter().all(|environ| !environ.contains(KEY)), "{environs:#?}");
    for place in ["projects", "agents", "cache"] {
        assert_eq!(files_with(&home.data().join(place), &[KEY, token]), Vec::<String>::new());
    }
    assert!(!daemon.log().contains(KEY) && !daemon.log().contains(token));

    // Its budget of a day is spent: it says so, in the language of the question, and the provider is not asked.
    let limit = json!({ "tokens_per_day": input + output });
    let answer = daemon.http().put(daemon.at(&format!("/agents/{agent}/budget"))).json(&limit).send().await.unwrap();
    assert_eq!(answer.status().as_u16(), 200);
    let said = text_of(&ask(&daemon, &agent, "What is 20% of 80?", &double.heard).await);
    assert!(said.contains("what this agent may spend on language models is used up"), "{said}");
    let said = text_of(&ask(&daemon, &agent, "八十的百分之二十是多少？", &double.heard).await);
    assert!(said.contains("预算已用完"), "{said}");
    assert_eq!(double.asked().len(), 2);

    // Without a limit again, and the provider gone: words, and no name of a class.
    let none = json!({ "tokens_per_day": null });
    let answer = daemon.http().put(daemon.at(&format!("/agents/{agent}/budget"))).json(&none).send().await.unwrap();
    assert_eq!(answer.status().as_u16(), 200);
    double.task.abort();
    let _ = double.task.await;
    let said = text_of(&ask(&daemon, &agent, "What is 30% of 80?", &double.heard).await);
    assert!(said.starts_with("The language model") && !said.contains("Error"), "{said}");
}
