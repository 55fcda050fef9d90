//! The tools that plugins bring along: what is checked of them, and how the daemon finds one.

use std::collections::{BTreeMap, HashSet};

use nexus_plugin_api::payload::{Description, ToolInfo};

use crate::domain::rel_path::RelPath;

const MAX_TOOLS: usize = 512;
const MAX_FILES: usize = 1024;
/// Bytes of a schema, when written.
const MAX_SCHEMA: usize = 64 << 10;
/// Bytes of any other text.
const MAX_TEXT: usize = 4 << 10;

/// A tool of a loaded plugin. Descriptions live as long as the process, and so does this.
#[derive(Clone, Copy, Debug)]
pub struct PluginTool {
    pub plugin: &'static str,
    /// The plugin's version, for a tool that has none of its own.
    pub plugin_version: &'static str,
    /// What is known of it.
    pub info: &'static ToolInfo,
    texts: &'static BTreeMap<String, String>,
}

impl PluginTool {
    /// Every tool of a plugin.
    pub(super) fn all(description: &'static Description) -> impl Iterator<Item = Self> {
        description.tools.iter().map(|info| Self {
            plugin: &description.name,
            plugin_version: &description.version,
            info,
            texts: &description.tool_files,
        })
    }

    /// The text of the file with the function.
    #[must_use]
    pub fn code(&self) -> Option<&'static str> {
        self.texts.get(&self.info.code_path).map(String::as_str)
    }

    /// The source texts that it needs, by relative path.
    pub fn sources(&self) -> impl Iterator<Item = (&'static str, &'static str)> + use<> {
        let (info, texts) = (self.info, self.texts);
        let paths = info.files.iter().chain([&info.code_path]);
        paths.filter_map(|path| texts.get_key_value(path)).map(|(path, text)| (path.as_str(), text.as_str()))
    }
}

/// Checks what a plugin says of its tools.
pub(super) fn check(description: &Description) -> Result<(), String> {
    let Description { tools, tool_files, .. } = description;
    if tools.len() > MAX_TOOLS || tool_files.len() > MAX_FILES {
        return Err(format!("more than {MAX_TOOLS} tools, or than {MAX_FILES} files of tools"));
    }
    if let Some(path) = tool_files.keys().find(|path| path.len() > 200 || RelPath::parse(path).is_err()) {
        return Err(format!("the tool file {path:?} is no relative path of at most 200 bytes"));
    }
    let mut seen = HashSet::new();
    for tool in tools {
        one(tool, tool_files)?;
        if !seen.insert(&tool.name) {
            return Err(format!("tool {:?} is described twice", tool.name));
        }
    }
    Ok(())
}

fn one(tool: &ToolInfo, texts: &BTreeMap<String, String>) -> Result<(), String> {
    if !is_name(&tool.name) {
        return Err(format!("the tool name {:?} is not of the form [A-Za-z_][A-Za-z0-9_-]{{0,63}}", tool.name));
    }
    let bad = |what: String| Err(format!("tool {:?}: {what}", tool.name));
    if let Some(path) = tool.files.iter().chain([&tool.code_path]).find(|path| !texts.contains_key(*path)) {
        return bad(format!("its file {path:?} is not among the tool files"));
    }
    if !tool.entry.is_empty() && !is_name(&tool.entry) {
        return bad(format!("{:?} is no name of a function", tool.entry));
    }
    let return_type = tool.return_type.as_deref().unwrap_or_default();
    let texts = [
        &tool.display_name,
        &tool.description,
        &tool.category,
        &tool.version,
        &tool.package,
        &tool.language,
        return_type,
    ];
    if texts.iter().any(|text| text.len() > MAX_TEXT)
        || tool.dependencies.len() > 100
        || tool.dependencies.iter().any(|name| name.len() > MAX_TEXT)
    {
        return bad(format!("a text of more than {MAX_TEXT} bytes, or more than 100 dependencies"));
    }
    if !tool.parameters.is_object() || tool.parameters.to_string().len() > MAX_SCHEMA {
        return bad(format!("`parameters` must be a JSON Schema of at most {MAX_SCHEMA} bytes"));
    }
    Ok(())
}

fn is_name(name: &str) -> bool {
    let bytes = name.as_bytes();
    let first = bytes.first().is_some_and(|b| b.is_ascii_alphabetic() || *b == b'_');
    first && bytes.len() <= 64 && bytes.iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'))
}

#[cfg(test)]
mod tests {
    use nexus_plugin_api::payload::{Description, ToolInfo};

    use super::*;

    fn of(tool: ToolInfo) -> Description {
        Description::new("p", "1", "").tool(tool).tool_file("a.py", "def a(): pass")
    }

    #[test]
    fn what_a_tool_may_be() {
        assert_eq!(check(&of(ToolInfo::python("a", "a.py"))), Ok(()));
        let fine = ToolInfo::python("a", "a.py");
        let bad = [
            (ToolInfo::python("a b", "a.py"), "form"),
            (ToolInfo::python("", "a.py"), "form"),
            (ToolInfo::python("a", "b.py"), "not among"),
            (ToolInfo { files: vec!["b.py".into()], ..fine.clone() }, "not among"),
            (ToolInfo { entry: "os.system".into(), ..fine.clone() }, "no name"),
            (ToolInfo { parameters: serde_json::Value::Null, ..fine.clone() }, "JSON Schema"),
            (ToolInfo { description: "x".repeat(5000), ..fine.clone() }, "bytes"),
        ];
        for (tool, word) in bad {
            let error = check(&of(tool)).unwrap_err();
            assert!(error.contains(word), "{error}");
        }
        assert!(check(&of(fine.clone()).tool(fine)).unwrap_err().contains("twice"));
        for path in ["/etc/x.py", "../x.py", "", "a/../../x.py", "a\\b.py"] {
            let description = Description::new("p", "1", "").tool_file(path, "");
            assert!(check(&description).unwrap_err().contains("relative path"), "{path}");
        }
    }
}
