//! Tools.

use async_trait::async_trait;

use super::{Page, PageRequest, Result, ToolFilter};
use crate::domain::{
    ids::ToolId,
    tool::{NewTool, Tool},
};

/// The catalogue of tools.
#[async_trait]
pub trait Tools: Send + Sync + 'static {
    /// Makes the tools of source `system` those, in one unit. Those that are known keep their use, and so do those that
    /// were there before and come back.
    async fn put_system_tools(&self, tools: Vec<NewTool>) -> Result<()>;

    async fn list_tools(&self, filter: &ToolFilter, page: &PageRequest) -> Result<Page<Tool>>;

    async fn tool(&self, id: &ToolId) -> Result<Option<Tool>>;

    /// Its source text, when the store has it and no file of a project.
    async fn tool_code(&self, id: &ToolId) -> Result<Option<String>>;

    /// Categories of tools with their counts, by name.
    async fn tool_categories(&self) -> Result<Vec<(String, u64)>>;
}
