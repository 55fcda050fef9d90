//! Embeds `template/`, `catalogue/` and `prompts/` in the plugin, under the paths that the files have in an agent's folder.

use std::{
    collections::BTreeMap,
    env,
    fmt::Write as _,
    fs, io,
    path::{Path, PathBuf},
};

/// A path in an agent's folder (of a description: the tool's id), and the file that holds its content.
type Files = BTreeMap<String, PathBuf>;

fn main() -> io::Result<()> {
    let root = PathBuf::from(env::var("CARGO_MANIFEST_DIR").map_err(io::Error::other)?);
    println!("cargo:rerun-if-changed=template");
    println!("cargo:rerun-if-changed=catalogue");
    println!("cargo:rerun-if-changed=prompts");
    let (mut template, mut tools, mut descriptions) = (Files::new(), Files::new(), Files::new());
    let mut prompts = Files::new();
    // Python leaves compiled files behind when the tests run here.
    walk(&root.join("template"), "", &["py", "txt"], &mut template)?;
    walk(&root.join("prompts"), "", &["md"], &mut prompts)?;
    for entry in fs::read_dir(root.join("catalogue"))? {
        let folder = entry?.path();
        if !folder.join("tool.json").is_file() {
            continue;
        }
        let id = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        tools.insert(format!("tools/{id}.py"), folder.join("tool.py"));
        tools.insert(format!("intents/{id}.py"), folder.join("intent.py"));
        tools.insert(format!("tests/test_{id}.py"), folder.join("test.py"));
        descriptions.insert(id, folder.join("tool.json"));
    }
    let mut code = String::new();
    for (name, files) in
        [("TEMPLATE", template), ("TOOLS", tools), ("DESCRIPTIONS", descriptions), ("PROMPTS", prompts)]
    {
        writeln!(code, "pub(super) static {name}: &[(&str, &str)] = &[").map_err(io::Error::other)?;
        for (path, file) in files {
            writeln!(code, "    ({path:?}, include_str!({file:?})),").map_err(io::Error::other)?;
        }
        code.push_str("];\n");
    }
    let out = env::var("OUT_DIR").map_err(io::Error::other)?;
    fs::write(Path::new(&out).join("embedded.rs"), code)
}

fn walk(folder: &Path, at: &str, endings: &[&str], files: &mut Files) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let name = format!("{at}{}", path.file_name().unwrap_or_default().to_string_lossy());
        if !path.is_dir() {
            if path.extension().is_some_and(|ending| endings.iter().any(|one| ending == *one)) {
                files.insert(name, path);
            }
        } else if !name.ends_with("__pycache__") {
            walk(&path, &format!("{name}/"), endings, files)?;
        }
    }
    Ok(())
}
