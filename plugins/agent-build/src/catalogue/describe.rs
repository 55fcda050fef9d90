//! The catalogue as the daemon lists it, each tool with the files that trying it out needs.

use std::collections::BTreeSet;

use nexus_plugin_api::payload::{Description, ToolInfo};

use super::Catalogue;

/// Adds every tool of the catalogue, with the files it needs, to the plugin's description.
pub(crate) fn describe(mut description: Description, catalogue: &Catalogue) -> Description {
    for tool in catalogue.tools() {
        let code_path = format!("tools/{}.py", tool.id());
        let files = needed(catalogue, &code_path);
        for path in &files {
            description = description.tool_file(path, catalogue.file(path).unwrap_or_default());
        }
        for info in tool.about.infos(env!("CARGO_PKG_VERSION"), &code_path) {
            let files = files.iter().filter(|path| **path != code_path).cloned().collect();
            description = description.tool(ToolInfo { files, ..info });
        }
    }
    description
}

/// The file, and every file of `runtime/` that it imports, directly or not, as paths.
fn needed(catalogue: &Catalogue, code_path: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut open = vec![code_path.to_owned()];
    while let Some(path) = open.pop() {
        let Some(text) = catalogue.file(&path) else { continue };
        let packages = ["tools/__init__.py".to_owned(), "runtime/__init__.py".to_owned()];
        open.extend(text.lines().flat_map(imported).chain(packages).filter(|path| !found.contains(path)));
        found.insert(path);
    }
    found
}

/// What a line imports of the runtime: `from runtime.text import …` or `from runtime import text, …`.
fn imported(line: &str) -> Vec<String> {
    let Some(rest) = line.strip_prefix("from runtime") else { return Vec::new() };
    let names: Vec<&str> = match rest.strip_prefix('.') {
        Some(rest) => rest.split_whitespace().take(1).collect(),
        None => rest.trim_start().strip_prefix("import").unwrap_or_default().split(',').map(str::trim).collect(),
    };
    names.into_iter().filter(|name| !name.is_empty()).map(|name| format!("runtime/{name}.py")).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_tool_is_told_with_its_files_and_its_schema() {
        let catalogue = Catalogue::embedded().unwrap();
        let description = describe(Description::new("agent-build", "1", ""), catalogue);
        let packages: BTreeSet<&str> = description.tools.iter().map(|tool| tool.package.as_str()).collect();
        assert_eq!(packages.len(), catalogue.tools().len());
        let names: BTreeSet<&str> = description.tools.iter().map(|tool| tool.name.as_str()).collect();
        assert_eq!(names.len(), description.tools.len(), "a function's name stands for one tool");
        for tool in &description.tools {
            for path in tool.files.iter().chain([&tool.code_path]) {
                assert!(description.tool_files.contains_key(path), "{}: {path}", tool.name);
            }
            assert!(description.tool_files[&tool.code_path].contains(&format!("def {}(", tool.name)));
        }
        let convert = description.tools.iter().find(|tool| tool.name == "convert_units").unwrap();
        assert!(convert.files.contains(&"runtime/units.py".to_owned()), "{:?}", convert.files);
        assert_eq!(convert.parameters["required"], json!(["value", "from_unit", "to_unit"]));
        assert_eq!(convert.parameters["properties"]["value"]["type"], "number");
        let faq = description.tools.iter().find(|tool| tool.name == "answer_faq").unwrap();
        for path in ["runtime/knowledge.py", "runtime/retrieval.py", "runtime/text.py", "runtime/__init__.py"] {
            assert!(faq.files.contains(&path.to_owned()), "{:?}", faq.files);
        }
        // Far below what the daemon takes.
        assert!(serde_json::to_vec(&description).unwrap().len() < 256 << 10);
    }
}
