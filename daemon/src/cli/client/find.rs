//! Finds the project or agent that a person means: by id, by name, or the newest.

use serde_json::Value;

use super::{
    error::ClientError,
    http::{Api, Result, escaped},
    show,
};

/// Rows of a page; names are looked for page by page.
const PAGE: usize = 100;

/// The project that is meant.
pub(super) async fn project(api: &Api, given: Option<&str>) -> Result<Value> {
    match given {
        Some(id) if id.starts_with("proj_") => api.get(&format!("/projects/{}", escaped(id))).await,
        Some(name) => {
            let listed = api.get(&format!("/projects?limit={PAGE}&q={}", escaped(name))).await?;
            one_of("project", name, &["project_name"], "project_id", &rows(listed))
        }
        None => newest("project", "nexusd new \"what the agent should do\"", rows(api.get("/projects?limit=1").await?)),
    }
}

/// The agent that is meant; of those without a name given, the newest.
pub(super) async fn agent(api: &Api, given: Option<&str>) -> Result<Value> {
    let Some(given) = given else {
        return newest(
            "agent",
            "nexusd new \"what the agent should do\" --wait",
            rows(api.get("/agents?limit=1").await?),
        );
    };
    if given.starts_with("agent_") {
        let found = api.get(&format!("/agents/{}", escaped(given))).await;
        if !matches!(found, Err(ClientError::Refused { status: 404, .. })) {
            return found;
        }
    }
    let mut all = Vec::new();
    for page in 1.. {
        let found = rows(api.get(&format!("/agents?limit={PAGE}&page={page}")).await?);
        let last = found.len() < PAGE;
        all.extend(found);
        if last {
            break;
        }
    }
    one_of("agent", given, &["display_name", "agent_name"], "agent_id", &all)
}

/// The items of a list.
pub(super) fn rows(listed: Value) -> Vec<Value> {
    match listed {
        Value::Array(rows) => rows,
        _ => Vec::new(),
    }
}

fn newest(what: &str, remedy: &str, rows: Vec<Value>) -> Result<Value> {
    rows.into_iter().next().ok_or_else(|| ClientError::Missing(format!("there is no {what} yet: {remedy}")))
}

/// The one whose name is the given one, else the one whose name has it as a part.
fn one_of(what: &str, given: &str, names: &[&str], id: &str, rows: &[Value]) -> Result<Value> {
    let folded = given.to_lowercase();
    let named = |row: &&Value, fits: &dyn Fn(&str) -> bool| {
        names.iter().any(|name| row.get(*name).and_then(Value::as_str).is_some_and(|text| fits(&text.to_lowercase())))
    };
    let mut found: Vec<&Value> = rows.iter().filter(|row| named(row, &|text| text == folded)).collect();
    if found.is_empty() {
        found = rows.iter().filter(|row| named(row, &|text| text.contains(&folded))).collect();
    }
    match found.as_slice() {
        [] => Err(ClientError::Missing(format!("no {what} is called {given:?}: `nexusd {what}s list` shows them"))),
        [one] => Ok((*one).clone()),
        many => {
            let shown = many.iter().take(10).map(|row| {
                let name = names.iter().find_map(|name| row.get(*name).and_then(Value::as_str)).unwrap_or("-");
                format!("\n  {}  {name}", show::member(row, id))
            });
            let shown: String = shown.collect();
            Err(ClientError::Usage(format!("{} {what}s are called {given:?}; name one by its id:{shown}", many.len())))
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn whole_names_come_before_parts_and_doubt_is_told() {
        let rows = [
            json!({"agent_id": "agent_1", "agent_name": "price_list", "display_name": "Price list"}),
            json!({"agent_id": "agent_2", "agent_name": "price_list", "display_name": "Price list 2"}),
        ];
        let find = |given| one_of("agent", given, &["display_name", "agent_name"], "agent_id", &rows);
        assert_eq!(find("price list").unwrap()["agent_id"], "agent_1");
        assert_eq!(find("list 2").unwrap()["agent_id"], "agent_2");
        let doubt = find("price_list").unwrap_err().to_string();
        assert!(doubt.contains("agent_1") && doubt.contains("agent_2"), "{doubt}");
        assert!(matches!(find("bakery"), Err(ClientError::Missing(_))));
    }
}
