//! Not kept.
#![allow(clippy::all, clippy::pedantic, clippy::restriction)]
mod common;
use common::try_build;
#[tokio::test]
async fn dump() {
    let Ok(folder) = std::env::var("ASK") else { return };
    let mut paths: Vec<_> = std::fs::read_dir(folder).unwrap().flatten().map(|e| e.path()).filter(|p| p.extension().is_some_and(|e| e == "txt")).collect();
    paths.sort();
    for path in paths {
        let text = std::fs::read_to_string(&path).unwrap();
        println!("=== {}\n{}", path.file_name().unwrap().to_string_lossy(), text.trim());
        let name = text.lines().next().unwrap_or_default().chars().take(40).collect::<String>();
        let built = match try_build(&name, &text).await { Ok(b) => b, Err((s, f)) => { println!("  FAILED {s} {:?}: {} {}", f.kind, f.message, f.details.unwrap_or_default()); continue } };
        let a = built.agent();
        println!("  name={} display={} desc={}", a.agent_name, a.display_name, a.description);
        let out = &built.results["agent_developer_manager"].output;
        println!("  coverage={} not_served={} acceptance={}/{} f{} u{}", out["coverage"], out["not_served"], out["acceptance"]["passed"], out["acceptance"]["asked"], out["acceptance"]["failed"], out["acceptance"]["unproven"]);
        for i in out["acceptance"]["items"].as_array().into_iter().flatten() { if i["outcome"] != "passed" { println!("    {} {} | {} | {}", i["outcome"], i["question"], i["expected"], i["answer"].to_string().chars().take(160).collect::<String>()); } }
        let q = path.with_extension("q");
        let Ok(qs) = std::fs::read_to_string(q) else { continue };
        let agent = built.start().await;
        let mut n = 0;
        for q in qs.lines().filter(|l| !l.trim().is_empty()) {
            if !q.starts_with('+') { n += 1; }
            let q = q.trim_start_matches('+').trim().replace("\\n", "\n");
            let r = agent.invoke(&q, &format!("session-of-questions-number-{n:010}")).await.unwrap();
            println!("  Q {q}\n    A {}", r["output"].as_str().unwrap_or_default().replace('\n', " / ").chars().take(230).collect::<String>());
        }
        let _ = agent.stop().await;
    }
}
