//! Lets the author mend the tools in which verification found something.

use std::collections::BTreeSet;

use super::{Job, StageError, tools::paths};
use crate::{
    author::{AgentFile, AuthorError},
    spec::ToolRecords,
    verify::Finding,
    workspace::Workspace,
};

/// Shows the author the files of the tools that findings name, and writes what it changed in them. Returns whether it
/// changed anything. It sees and changes no other file: what every agent has is not the author's.
pub(super) async fn repair(job: &mut Job, tools: &ToolRecords, findings: &[Finding]) -> Result<bool, StageError> {
    let named: BTreeSet<&str> = findings.iter().filter_map(|finding| finding.tool.as_deref()).collect();
    let broken = tools.tools.iter().map(|tool| tool.about.id.as_str()).filter(|id| named.contains(id));
    let paths: Vec<String> = broken.flat_map(paths).collect();
    if paths.is_empty() {
        return Ok(false);
    }
    let workspace = Workspace::new(job.request.workspace.clone());
    let (reader, shown) = (workspace.clone(), paths.clone());
    let files = tokio::task::spawn_blocking(move || {
        let read = |path: String| Ok(AgentFile { content: reader.read(&path)?, path });
        shown.into_iter().map(read).collect::<Result<Vec<_>, StageError>>()
    })
    .await??;
    let (author, brief) = job.author();
    let mended = job.answer(author.repair(&brief, &files, findings)).await?;
    if let Some(other) = mended.iter().find(|file| !paths.contains(&file.path)) {
        let problem = format!("it changes `{}`, which it was not shown", other.path);
        return Err(AuthorError::Unusable { object: "repair", problem }.into());
    }
    let changed = !mended.is_empty();
    tokio::task::spawn_blocking(move || mended.iter().try_for_each(|file| workspace.write(&file.path, &file.content)))
        .await??;
    Ok(changed)
}
