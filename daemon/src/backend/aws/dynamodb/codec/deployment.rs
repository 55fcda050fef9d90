//! Where an agent runs, in the attributes of the original: a name of its own for the target and for what AgentCore calls
//! things by, and one map for what any other vendor does.

use serde_json::{Map, Value};

use super::{Item, Reader, value};
use crate::domain::agent::Deployment;

/// Options that have an attribute of their own.
const NAMED: [&str; 4] = ["agentcore_config", "agentcore_runtime_arn", "agentcore_runtime_alias", "agentcore_region"];
const TARGET: &str = "deployment_type";
const OTHERS: &str = "deployment_options";

pub(super) fn write(deployment: &Deployment, item: &mut Item) {
    item.insert(TARGET.into(), value::text(&deployment.target));
    let (named, others): (Map<_, _>, Map<_, _>) =
        deployment.options.clone().into_iter().partition(|(name, _)| NAMED.contains(&name.as_str()));
    item.extend(
        named.iter().filter(|(_, value)| !value.is_null()).map(|(name, of)| (name.clone(), value::attribute(of))),
    );
    if !others.is_empty() {
        item.insert(OTHERS.into(), value::attribute(&Value::Object(others)));
    }
}

/// An agent of the original's that names no target runs beside it.
pub(super) fn read(read: &Reader<'_>) -> Deployment {
    let mut options = match read.document(OTHERS) {
        Some(Value::Object(options)) => options,
        _ => Map::new(),
    };
    let named = NAMED.into_iter().filter_map(|name| {
        let value = read.document(name).filter(|value| value.as_str() != Some(""))?;
        Some((name.to_owned(), value))
    });
    options.extend(named);
    Deployment { target: read.some_text(TARGET).unwrap_or_else(|| "local".to_owned()), options }
}
