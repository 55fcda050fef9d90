//! The tools API over the real binary: the catalogue of the real plugin, what a build leaves, how its use
//! is counted, tools that are tried out, and the switches of MCP servers.

use std::path::Path;

use serde_json::{Value, json};

use crate::support::{Daemon, Home, PATIENCE, eventually, plugin_dir, prices::PRICES_AND_UNITS};

async fn test(daemon: &Daemon, name: &str, parameters: Value) -> Value {
    let (status, answer) = daemon.post(&format!("/tools/{name}/test"), &json!({ "parameters": parameters })).await;
    assert_eq!(status, 200, "{name}: {answer}");
    let verdict = answer["data"].clone();
    assert_eq!(verdict["success"], json!(verdict["error"].is_null()), "{verdict}");
    // What was refused for its parameters never ran.
    let refused = verdict["error"].as_str().is_some_and(|error| error.starts_with("the parameter `"));
    assert!(verdict["duration_ms"].as_f64().is_some_and(|ms| (ms > 0.0) != refused), "{verdict}");
    verdict
}

async fn put(daemon: &Daemon, path: &str, body: &Value) -> (u16, Value) {
    let response = daemon.http().put(daemon.at(path)).json(body).send().await.expect("an answer");
    (response.status().as_u16(), response.json().await.expect("JSON"))
}

fn names(answer: &Value, list: &str, key: &str) -> Vec<String> {
    let items = answer["data"].pointer(list).and_then(Value::as_array).unwrap_or_else(|| panic!("{answer}"));
    items.iter().map(|item| item[key].as_str().expect("a name").to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_catalogue_is_listed_and_can_be_tried_out() {
    let home = Home::new("").without_servers();
    let daemon = home.start();

    let (status, all) = daemon.get("/tools?source=system&limit=100").await;
    assert_eq!(status, 200, "{all}");
    let total = all["pagination"]["total"].as_u64().unwrap();
    assert!(total >= 60, "{total}");
    let calculate = all["data"].as_array().unwrap().iter().find(|tool| tool["tool_name"] == "calculate").unwrap();
    for (key, wanted) in [
        ("display_name", json!("Calculator")),
        ("category", json!("math")),
        ("source", json!("system")),
        ("code_path", json!("tools/calculator.py")),
        ("dependencies", json!([])),
        ("usage_count", json!(0)),
        ("project_id", json!(null)),
    ] {
        assert_eq!(calculate[key], wanted, "{calculate:#}");
    }
    assert_eq!(calculate["schema"]["required"], json!(["expression"]));
    let id = calculate["tool_id"].as_str().unwrap();
    let (status, one) = daemon.get(&format!("/tools/{id}")).await;
    assert_eq!(status, 200, "{one}");
    for (key, value) in calculate.as_object().unwrap() {
        assert_eq!(&one["data"][key], value, "{one}");
    }
    assert_eq!((&one["data"]["name"], &one["data"]["type"]), (&json!("calculate"), &json!("system")));
    assert!(one["data"]["source_code"].as_str().unwrap().contains("def calculate("), "{one}");
    assert_eq!(daemon.get("/tools/calculate").await.1["data"], one["data"], "by its name");
    for unknown in ["/tools/tool_000000000000", "/tools/no_such_tool", "/tools/a%2Fb"] {
        let (status, answer) = daemon.get(unknown).await;
        assert_eq!((status, answer["error"]["code"].as_str()), (404, Some("TOOL_NOT_FOUND")), "{unknown}: {answer}");
    }

    // Every page once, whichever way.
    let mut seen = Vec::new();
    let mut path = "/tools?limit=25".to_owned();
    loop {
        let (_, page) = daemon.get(&path).await;
        seen.extend(names(&page, "", "tool_name"));
        let Some(cursor) = page["pagination"]["next_cursor"].as_str() else { break };
        path = format!("/tools?limit=25&cursor={cursor}");
    }
    assert_eq!(seen.len() as u64, total);
    assert!(seen.is_sorted(), "{seen:?}");
    let (_, found) = daemon.get("/tools?q=EXCHANGE&category=finance").await;
    assert!(names(&found, "", "tool_name").contains(&"convert_currency".to_owned()), "{found}");
    let (_, none) = daemon.get("/tools?source=generated").await;
    assert_eq!((none["data"].clone(), none["pagination"]["total"].as_u64()), (json!([]), Some(0)));
    for bad in ["/tools?source=nowhere", "/tools?limit=0", "/tools?cursor=zz"] {
        assert_eq!(daemon.get(bad).await.0, 422, "{bad}");
    }

    // The original's forms; their names are not taken for ids.
    let (status, list) = daemon.get("/tools/list?category=math&search=expression").await;
    assert_eq!(status, 200, "{list}");
    let listed = &list["data"]["tools"][0];
    assert_eq!(
        listed["parameters"],
        json!([{
            "name": "expression", "type": "str", "required": true, "default": null,
            "description": "for example \"2 * (3 + 4.5)\" or \"sqrt(2) ** 2\".",
        }])
    );
    for (key, wanted) in [
        ("name", json!("calculate")),
        ("type", json!("system")),
        ("file_path", json!("tools/calculator.py")),
        ("package", json!("calculator")),
        ("enabled", json!(true)),
        ("mcp_server", json!(null)),
        ("return_type", json!("dict")),
    ] {
        assert_eq!(listed[key], wanted, "{listed:#}");
    }
    let (_, list) = daemon.get("/tools/list?type=builtin").await;
    let by_type = json!({"builtin": 0, "generated": 0, "system": total, "template": 0, "mcp": 0});
    assert_eq!(list["data"], json!({"tools": [], "total": 0, "by_type": by_type}));
    assert_eq!(daemon.get("/tools/list?type=other").await.0, 422);
    let (_, categories) = daemon.get("/tools/categories").await;
    let words = categories["data"]["categories"].as_array().unwrap();
    assert!(words.contains(&json!("math")) && words.len() as u64 == categories["data"]["total"], "{categories}");

    // By name, by id and by package.
    for name in ["calculate", id, "calculator"] {
        let verdict = test(&daemon, name, json!({"expression": "2 * (3 + 4)"})).await;
        assert_eq!(verdict["output_json"]["value"], 14, "{verdict}");
        assert_eq!(verdict["output"], verdict["output_json"].to_string(), "a text for readers of text");
        let guards = verdict["guards"].as_array().unwrap_or_else(|| panic!("{verdict}"));
        for wall in ["landlock", "seccomp", "rlimits", "subreaper"] {
            assert!(guards.contains(&json!(wall)), "{verdict}");
        }
    }
    // The document's own example, and a form, which sends texts whatever the type.
    let example = daemon.get("//openapi.json").await.1;
    let example =
        example.pointer("/paths/~1api~1v2~1tools~1{name}~1test/post/requestBody/content/application~1json/example");
    let (status, verdict) = daemon.post("/tools/calculate/test", example.unwrap()).await;
    assert_eq!((status, &verdict["data"]["success"]), (200, &json!(true)), "{verdict}");
    let form = json!({"value": "12", "from_unit": "kg", "to_unit": "lb"});
    let verdict = test(&daemon, "convert_units", form).await;
    assert!(verdict["output"].as_str().unwrap().contains("26.45"), "{verdict}");
    let verdict = test(&daemon, "convert_units", json!({"value": "twelve", "from_unit": "kg", "to_unit": "lb"})).await;
    assert!(verdict["error"].as_str().unwrap().contains("`value` should be float"), "{verdict}");
    let verdict = test(&daemon, "convert_units", json!({"value": 12, "from_unit": "kg", "to_unit": "lb"})).await;
    assert!(verdict["output"].as_str().unwrap().contains("26.45"), "{verdict}");
    let verdict = test(&daemon, "calculate", json!({"expression": "1 / 0"})).await;
    assert_eq!(verdict["error"], "Refused: division by zero has no result");
    let verdict = test(&daemon, "calculate", json!({"formula": "1"})).await;
    assert!(verdict["error"].as_str().unwrap().contains("the parameters do not fit"), "{verdict}");
    let verdict = test(&daemon, "fetch_url", json!({"url": daemon.url})).await;
    assert_eq!(verdict["error"], "PermissionError: the network is not allowed when a tool is tried out");
    let (status, verdict) = daemon.post("/tools/list_units/test", &json!({})).await;
    assert_eq!((status, &verdict["data"]["success"]), (200, &json!(true)), "{verdict}");

    assert_eq!(daemon.post("/tools/no_such_tool/test", &json!({})).await.0, 404);
    for bad in [json!({"parameters": "x"}), json!({"parameters": [1]}), json!([])] {
        let (status, answer) = daemon.post("/tools/calculate/test", &bad).await;
        assert_eq!(status, 422, "{bad}: {answer}");
    }
    let large = json!({"parameters": {"expression": "1".repeat(70_000)}});
    assert_eq!(daemon.post("/tools/calculate/test", &large).await.0, 422);
    // To try a tool out is no use of it.
    assert_eq!(daemon.get(&format!("/tools/{id}")).await.1["data"]["usage_count"], 0);
}

/// Whether the folder of a test stands in any command line.
fn runs(home: &Home) -> bool {
    let folder = home.data().join("run/tool-tests").to_string_lossy().into_owned();
    let line = |path: &Path| std::fs::read(path.join("cmdline")).unwrap_or_default();
    std::fs::read_dir("/proc")
        .unwrap()
        .flatten()
        .filter(|entry| entry.file_name().to_string_lossy().bytes().all(|b| b.is_ascii_digit()))
        .any(|entry| String::from_utf8_lossy(&line(&entry.path())).contains(&folder))
}

async fn until(home: &Home, running: bool) {
    let what = if running { "a test runs" } else { "no test runs" };
    eventually(what, async || (runs(home) == running).then_some(())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_build_leaves_its_tools_and_their_use_is_counted() {
    let home = Home::new("[tools]\nmax_tests = 1\n");
    let daemon = home.start();
    let (project, agent) = daemon.build_agent(PRICES_AND_UNITS).await;

    let (_, generated) = daemon.get("/tools?source=generated&limit=100").await;
    let tools = generated["data"].as_array().unwrap();
    let of =
        |name: &str| tools.iter().find(|tool| tool["tool_name"] == name).unwrap_or_else(|| panic!("{generated:#}"));
    let quote = of("quote_items");
    assert_eq!(
        (&quote["project_id"], &quote["agent_id"], &quote["code_path"]),
        (&json!(project), &json!(agent), &json!("agent/tools/price_list.py"))
    );
    assert_eq!((&quote["version"], &quote["usage_count"]), (&json!("1.0.0"), &json!(0)));
    assert!(quote["description"].as_str().is_some_and(|text| text.contains("cost")), "{quote:#}");
    assert!(of("convert_units")["schema"]["required"].is_array());

    // An invocation and a streamed message each raise what they call, and nothing else.
    let asked = json!({"input_text": "how much are 3 pears?"});
    let (status, invoked) = daemon.post(&format!("/agents/{agent}/invoke"), &asked).await;
    assert_eq!(status, 200, "{invoked}");
    let (_, session) = daemon.post(&format!("/agents/{agent}/sessions"), &json!({})).await;
    let session = session["data"]["session_id"].as_str().unwrap();
    let stream = daemon.http().post(daemon.at(&format!("/sessions/{session}/stream")));
    let response = stream.json(&json!({"content": "what is 12 kg in lb?"})).send().await.unwrap();
    let frames = crate::support::sse::Stream::new(response).all().await;
    assert!(frames.iter().any(|frame| frame.data["tool_name"] == "convert_units"), "{frames:#?}");
    for (name, wanted) in [("quote_items", 1), ("convert_units", 1), ("list_units", 0)] {
        let id = of(name)["tool_id"].as_str().unwrap();
        eventually(name, async || {
            let (_, tool) = daemon.get(&format!("/tools/{id}")).await;
            let count = tool["data"]["usage_count"].as_u64().unwrap();
            assert!(count <= wanted, "{tool}");
            (count == wanted).then_some(())
        })
        .await;
    }

    // A generated tool works with the data of its project.
    let quote_id = quote["tool_id"].as_str().unwrap();
    let items = json!({"items": [{"name": "pear", "quantity": 3}]});
    let verdict = test(&daemon, quote_id, items).await;
    assert_eq!(verdict["output_json"]["totals"]["EUR"], "12", "{verdict}");
    // By its name the newest is meant: the agent's, not the catalogue's.
    let by_name = daemon.get("/tools/quote_items").await.1["data"].clone();
    assert_eq!((&by_name["tool_id"], &by_name["type"]), (&json!(quote_id), &json!("generated")), "{by_name}");
    let verdict = test(&daemon, "quote_items", json!({"items": "[{\"name\": \"pear\", \"quantity\": 3}]"})).await;
    assert_eq!(verdict["output_json"]["totals"]["EUR"], "12", "{verdict}");

    // One at a time: who comes while a slow one runs is told when to come again.
    let folder = home.data().join("projects").join(&project).join("agent/tools");
    std::fs::write(folder.join("price_list.py"), "import time\ndef quote_items(items): time.sleep(60)\n").unwrap();
    let slow = daemon.http().post(daemon.at(&format!("/tools/{quote_id}/test")));
    let slow = slow.json(&json!({"parameters": {"items": []}}));
    let asking = tokio::spawn(slow.try_clone().unwrap().send());
    until(&home, true).await;
    let refused = daemon.http().post(daemon.at("/tools/calculate/test")).json(&json!({})).send().await.unwrap();
    assert_eq!(refused.status(), 429);
    assert!(refused.headers().contains_key("retry-after"));
    let body: Value = refused.json().await.unwrap();
    assert_eq!(body["error"]["code"], "TOO_MANY_TOOL_TESTS");
    // The client leaves: the test ends, and the next may run.
    asking.abort();
    until(&home, false).await;
    eventually("the next test", async || {
        let (status, verdict) = daemon.post("/tools/calculate/test", &json!({"parameters": {"expression": "1"}})).await;
        (status == 200).then(|| assert_eq!(verdict["data"]["success"], true, "{verdict}"))
    })
    .await;
    assert_eq!(std::fs::read_dir(home.data().join("run/tool-tests")).map_or(0, Iterator::count), 0);

    // A link that leads out is not followed, and a file that is gone is told.
    std::fs::remove_file(folder.join("price_list.py")).unwrap();
    std::os::unix::fs::symlink("/etc/passwd", folder.join("price_list.py")).unwrap();
    let (status, answer) = daemon.post(&format!("/tools/{quote_id}/test"), &json!({})).await;
    assert_eq!((status, answer["error"]["code"].as_str()), (409, Some("TOOL_NOT_RUNNABLE")), "{answer}");

    // The daemon dies: the test dies with it, and the next start cleans up.
    std::fs::remove_file(folder.join("price_list.py")).unwrap();
    std::fs::write(folder.join("price_list.py"), "import time\ndef quote_items(items): time.sleep(60)\n").unwrap();
    let asking = tokio::spawn(slow.timeout(PATIENCE).send());
    until(&home, true).await;
    daemon.kill();
    assert!(asking.await.unwrap().is_err());
    until(&home, false).await;
    let daemon = home.start();
    assert!(!home.data().join("run/tool-tests").exists());
    let (_, tool) = daemon.get(&format!("/tools/{quote_id}")).await;
    assert_eq!(tool["data"]["usage_count"], 1, "use is kept over a restart: {tool}");

    // With the agent go its tools.
    let (status, gone) = daemon.delete(&format!("/projects/{project}?delete_agents=true")).await;
    assert_eq!(status, 200, "{gone}");
    assert_eq!(daemon.get(&format!("/tools/{quote_id}")).await.0, 404);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tools_come_and_go_with_their_plugin() {
    let home = Home::new("");
    let plugins = home.path().join("plugins");
    std::fs::create_dir(&plugins).unwrap();
    for name in ["agent_build", "deploy_local"] {
        let file = format!("libnexus_{name}.so");
        std::fs::copy(plugin_dir().join(&file), plugins.join(&file)).unwrap();
    }
    home.configure(&format!("[plugins]\ndirs = [{plugins:?}]\n"));
    let daemon = home.start();
    let total = async || daemon.get("/tools?source=system").await.1["pagination"]["total"].as_u64().unwrap();
    let before = total().await;
    assert!(before > 0);

    std::fs::copy(plugin_dir().join("libnexus_fixture_noop.so"), plugins.join("libnoop.so")).unwrap();
    assert_eq!(daemon.post("/plugins/reload", &json!({})).await.0, 200);
    assert_eq!(total().await, before + 2);
    assert_eq!(test(&daemon, "noop_tool", json!({})).await["output_json"], json!(null));
    let (status, answer) = daemon.post("/tools/noop_script/test", &json!({})).await;
    assert_eq!((status, answer["error"]["code"].as_str()), (409, Some("TOOL_NOT_RUNNABLE")), "{answer}");

    std::fs::remove_file(plugins.join("libnoop.so")).unwrap();
    assert_eq!(daemon.post("/plugins/reload", &json!({})).await.0, 200);
    assert_eq!(total().await, before);
    assert_eq!(daemon.post("/tools/noop_tool/test", &json!({})).await.0, 404);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mcp_servers_are_shown_and_switched() {
    let home = Home::new("").without_servers();
    let daemon = home.start();
    let (status, none) = daemon.get("/tools/mcp/servers").await;
    assert_eq!((status, &none["data"]), (200, &json!({"servers": [], "total": 0, "enabled": 0, "disabled": 0})));
    assert_eq!(daemon.get("/tools/mcp/servers/docs").await.0, 404);
    assert_eq!(put(&daemon, "/tools/mcp/servers/docs", &json!({"disabled": true})).await.0, 404);

    let file = home.data().join("mcp_servers.json");
    let written = json!({"mcpServers": {
        "docs": {"command": "uvx", "args": ["docs-server"], "env": {"API_KEY": "hush"}, "timeout": 60},
        "web": {"url": "http://127.0.0.1:9/mcp", "disabled": true, "autoApprove": ["search"]},
    }, "other": 1});
    std::fs::write(&file, written.to_string()).unwrap();
    let (_, all) = daemon.get("/tools/mcp/servers").await;
    let counts = ["total", "enabled", "disabled"].map(|key| all["data"][key].clone());
    assert_eq!(counts, [json!(2), json!(1), json!(1)]);
    assert_eq!(
        all["data"]["servers"][0],
        json!({
            "name": "docs", "type": "stdio", "command": "uvx", "args": ["***"], "url": null,
            "env": {"API_KEY": "***"}, "disabled": false, "auto_approve": [],
        })
    );
    let (_, web) = daemon.get("/tools/mcp/servers/web").await;
    assert_eq!((&web["data"]["type"], &web["data"]["auto_approve"]), (&json!("http"), &json!(["search"])));

    let change = json!({"disabled": true, "auto_approve": ["read", "list"]});
    let (status, changed) = put(&daemon, "/tools/mcp/servers/docs", &change).await;
    assert_eq!((status, &changed["data"]["disabled"]), (200, &json!(true)), "{changed}");
    let stored: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    let mut wanted = written.clone();
    wanted["mcpServers"]["docs"]["disabled"] = json!(true);
    wanted["mcpServers"]["docs"]["autoApprove"] = json!(["read", "list"]);
    assert_eq!(stored, wanted, "what the daemon does not know stays");
    let (status, same) = put(&daemon, "/tools/mcp/servers/docs", &json!({})).await;
    assert_eq!((status, &same["data"]), (200, &changed["data"]));
    for bad in [json!({"disabled": "perhaps"}), json!({"auto_approve": "read"}), json!({"auto_approve": [1]})] {
        assert_eq!(put(&daemon, "/tools/mcp/servers/docs", &bad).await.0, 422, "{bad}");
    }
    let (_, list) = daemon.get("/tools/list?type=mcp").await;
    assert_eq!((&list["data"]["total"], &list["data"]["by_type"]["mcp"]), (&json!(2), &json!(2)));
    assert_eq!(list["data"]["tools"][0]["enabled"], false);

    // Two at a time: neither is lost.
    let (disabled, approved) = (json!({"disabled": false}), json!({"auto_approve": ["x"]}));
    let both = tokio::join!(
        put(&daemon, "/tools/mcp/servers/web", &disabled),
        put(&daemon, "/tools/mcp/servers/web", &approved)
    );
    assert_eq!((both.0.0, both.1.0), (200, 200));
    let (_, web) = daemon.get("/tools/mcp/servers/web").await;
    assert_eq!((&web["data"]["disabled"], &web["data"]["auto_approve"]), (&json!(false), &json!(["x"])));
    let folder = std::fs::read_dir(home.data()).unwrap().flatten();
    let strays = folder.filter(|entry| entry.file_name().to_string_lossy().starts_with("mcp_servers.json.")).count();
    assert_eq!(strays, 0);

    // A broken file is told, never overwritten, and never a 5xx.
    for broken in ["{", "[]", "{\"mcpServers\": []}", "{\"mcpServers\": {\"docs\": 1}}"] {
        std::fs::write(&file, broken).unwrap();
        for (status, answer) in
            [daemon.get("/tools/mcp/servers").await, put(&daemon, "/tools/mcp/servers/docs", &change).await]
        {
            assert_eq!((status, answer["error"]["code"].as_str()), (409, Some("MCP_SERVERS_INVALID")), "{answer}");
        }
        let (_, list) = daemon.get("/tools/list?type=mcp").await;
        assert_eq!(list["data"]["total"], 0, "{list}");
        assert_eq!(std::fs::read_to_string(&file).unwrap(), broken);
    }
}
