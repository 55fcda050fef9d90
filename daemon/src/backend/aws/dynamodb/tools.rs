//! Tools: what builds made for their agents, and all of them as they are listed and used. Those of plugins: `catalogue`.

use std::collections::BTreeMap;

use async_trait::async_trait;

use super::{
    DynamoStore,
    aggregate::Plan,
    client::Query,
    codec::{Reader, Record as _},
    oversize::Ahead,
    table::Table,
    unit::{Change, Guard, Refused, Unit},
    value::{self, Item},
};
use crate::{
    backend::store::{Page, PageRequest, Result, ToolFilter, Tools},
    domain::{
        agent::NewAgent,
        ids::{AgentId, ProjectId, ToolId},
        time::Timestamp,
        tool::{NewTool, Tool, ToolSource},
    },
};

/// Tools that one listing looks at.
const MOST: usize = 20_000;
/// Writes of a unit that the tools of a build leave to the rest of it.
const SPARED: usize = 20;

/// Uses that are counted.
pub(super) const USES: &str = "usage_count";

/// A tool that calls were of, as it was read.
pub(crate) struct UsedTool {
    item: Item,
    calls: u64,
}

pub(super) fn id_of(source: ToolSource, agent: Option<&AgentId>, name: &str) -> ToolId {
    ToolId::of(source.as_str(), agent.map_or("", AgentId::as_str), name)
}

/// Writes a tool; one that is known keeps its use and its birth.
pub(super) fn change(
    new: &NewTool,
    source: ToolSource,
    agent: Option<&AgentId>,
    project: Option<&ProjectId>,
    now: Timestamp,
) -> Result<(Item, Change)> {
    let tool = Tool {
        tool_id: id_of(source, agent, &new.tool_name),
        tool_name: new.tool_name.clone(),
        display_name: new.display_name.clone(),
        description: new.description.clone(),
        category: new.category.clone(),
        source,
        version: new.version.clone(),
        code_path: new.code_path.clone(),
        schema: new.schema.clone(),
        dependencies: new.dependencies.clone(),
        usage_count: 0,
        created_at: now,
        updated_at: now,
        agent_id: agent.cloned(),
        project_id: project.cloned(),
    };
    let mut item = tool.to_item()?;
    if let Some(code) = &new.code {
        item.insert("code".into(), value::text(code));
    }
    let key = Table::Tools.key_of(&item);
    item.retain(|name, _| !key.contains_key(name));
    item.remove(USES);
    let born = item.remove("created_at").map(|at| ("created_at".to_owned(), at));
    // Not added to: what stands in a row of the original's may be no number.
    let init = born.into_iter().chain([(USES.to_owned(), value::whole(0))]).collect();
    let change = Change { set: item.into_iter().collect(), init, ..Change::default() };
    Ok((key, change))
}

impl DynamoStore {
    pub(super) async fn tools_of(&self, source: ToolSource) -> Result<Vec<Item>> {
        self.tables.all(Query::by(Table::Tools, "SourceIndex", "source", value::text(source.as_str())), MOST).await
    }

    /// Adds the tools that a build made for its agent to its last unit; those of an earlier build that are gone go.
    pub(crate) async fn put_generated(&self, plan: &mut Plan, agent: &NewAgent) -> Result<()> {
        let (now, project) = (plan.now, plan.after.stored.project.project_id.clone());
        let source = ToolSource::Generated;
        let known = self.generated_names(&agent.agent_id).await?;
        let names: Vec<String> = agent.generated_tools.iter().map(|new| new.tool_name.clone()).collect();
        let mut ahead = Vec::new();
        for new in &agent.generated_tools {
            let (key, change) = change(new, source, Some(&agent.agent_id), Some(&project), now)?;
            if plan.unit.room() > SPARED && plan.unit.bytes() < super::unit::MOST_BYTES / 2 {
                plan.unit.update(&self.tables, Table::Tools, key, change, &Guard::Open, Refused::Stale)?;
            } else {
                // More than a unit holds: ahead of it. Should the unit fail, they are written again with it.
                ahead.push(Ahead::Update(Table::Tools, key, change));
            }
        }
        for name in known.iter().filter(|name| !names.contains(name)) {
            let key = Table::Tools.one(id_of(source, Some(&agent.agent_id), name).as_str());
            if plan.unit.room() > SPARED / 2 {
                plan.unit.delete(&self.tables, Table::Tools, key, &Guard::Open, Refused::Stale)?;
            } else {
                ahead.push(Ahead::Delete(Table::Tools, key));
            }
        }
        let list = Table::State.two(&format!("tools#{}", agent.agent_id), "-");
        let listed = |names: Vec<&String>| value::attribute(&serde_json::json!(names));
        if !ahead.is_empty() {
            // First of all, so that whoever comes after an end in between knows of what was written.
            let both = known.iter().filter(|name| !names.contains(name)).chain(&names).collect();
            let change = Change { set: vec![("names".to_owned(), listed(both))], ..Change::default() };
            plan.ahead.push(Ahead::Update(Table::State, list.clone(), change));
            plan.ahead.extend(ahead);
        }
        if !names.is_empty() {
            let mut item = list;
            item.insert("names".into(), listed(names.iter().collect()));
            plan.unit.put(&self.tables, Table::State, item, &Guard::Open, Refused::Stale)?;
        }
        Ok(())
    }

    /// The names of the tools that builds made for an agent.
    async fn generated_names(&self, agent: &AgentId) -> Result<Vec<String>> {
        let key = Table::State.two(&format!("tools#{agent}"), "-");
        let names = self.tables.get(Table::State, key).await?.map(|item| Reader(&item).texts("names"));
        Ok(names.unwrap_or_default())
    }

    pub(crate) async fn generated_for(&self, agent: &AgentId) -> Result<Vec<ToolId>> {
        let id = |name: &String| id_of(ToolSource::Generated, Some(agent), name);
        Ok(self.generated_names(agent).await?.iter().map(id).collect())
    }

    /// The tools of an agent go with it.
    pub(crate) async fn remove_tools_of(&self, agent: &AgentId) -> Result<()> {
        let keys = self.generated_for(agent).await?.iter().map(|id| Table::Tools.one(id.as_str())).collect();
        self.tables.delete_many(Table::Tools, keys).await?;
        let list = Table::State.two(&format!("tools#{agent}"), "-");
        self.tables.delete_many(Table::State, vec![list]).await
    }

    /// Which tools calls by these names were of, and how many: the agent's own and the catalogue's.
    pub(crate) async fn used_tools(&self, agent: &AgentId, names: &[String]) -> Result<Vec<UsedTool>> {
        let mut calls: BTreeMap<ToolId, u64> = BTreeMap::new();
        for name in names {
            *calls.entry(id_of(ToolSource::Generated, Some(agent), name)).or_default() += 1;
            *calls.entry(id_of(ToolSource::System, None, name)).or_default() += 1;
        }
        if calls.is_empty() {
            return Ok(Vec::new());
        }
        let keys = calls.keys().map(|id| Table::Tools.one(id.as_str())).collect();
        let known = self.tables.get_many(Table::Tools, keys).await?;
        let used = |item: Item| {
            let id: ToolId = Reader(&item).word("tool_id")?;
            Some(UsedTool { calls: calls.get(&id).copied()?, item })
        };
        Ok(known.into_iter().filter_map(used).take(super::unit::MOST_WRITES - SPARED).collect())
    }

    /// Counts calls of tools. One that is gone by now is not made anew by its figures: then it is read again.
    pub(crate) fn count_uses(&self, unit: &mut Unit, used: &[UsedTool]) -> Result<()> {
        for UsedTool { item, calls } in used {
            let mut change = Change::default();
            let read: Vec<_> = change.count(item, USES, *calls).into_iter().collect();
            let key = Table::Tools.key_of(item);
            unit.update(&self.tables, Table::Tools, key, change, &Guard::AsRead(&read), Refused::Stale)?;
        }
        Ok(())
    }

    async fn all_tools(&self, source: Option<ToolSource>) -> Result<Vec<Tool>> {
        let mut tools = Vec::new();
        for one in ToolSource::ALL.iter().filter(|one| source.is_none_or(|wanted| wanted == **one)) {
            tools.extend(self.tools_of(*one).await?.iter().filter_map(|item| Tool::from_item(item).ok()));
        }
        Ok(tools)
    }
}

#[async_trait]
impl Tools for DynamoStore {
    async fn put_system_tools(&self, tools: Vec<NewTool>) -> Result<()> {
        self.put_catalogue(&tools).await
    }

    async fn list_tools(&self, filter: &ToolFilter, page: &PageRequest) -> Result<Page<Tool>> {
        let mut tools = self.all_tools(filter.source).await?;
        let q = filter.q.as_deref().map(str::trim).filter(|q| !q.is_empty()).map(str::to_ascii_lowercase);
        tools.retain(|tool| {
            let text =
                || format!("{}\n{}\n{}", tool.tool_name, tool.display_name, tool.description).to_ascii_lowercase();
            filter.category.as_ref().is_none_or(|category| *category == tool.category)
                && filter.name.as_ref().is_none_or(|name| *name == tool.tool_name)
                && q.as_ref().is_none_or(|q| text().contains(q))
        });
        tools.sort_by(|a, b| (&a.tool_name, &a.tool_id).cmp(&(&b.tool_name, &b.tool_id)));
        let place = |tool: &Tool| (tool.tool_name.clone(), tool.tool_id.to_string());
        super::lists::slice("tools", tools, page, true, place)
    }

    async fn tool(&self, id: &ToolId) -> Result<Option<Tool>> {
        let item = self.tables.get(Table::Tools, Table::Tools.one(id.as_str())).await?;
        item.as_ref().map(Tool::from_item).transpose()
    }

    async fn tool_code(&self, id: &ToolId) -> Result<Option<String>> {
        let item = self.tables.get(Table::Tools, Table::Tools.one(id.as_str())).await?;
        Ok(item.and_then(|item| Reader(&item).text("code")))
    }

    async fn tool_categories(&self) -> Result<Vec<(String, u64)>> {
        let mut counts: BTreeMap<String, u64> = BTreeMap::new();
        for tool in self.all_tools(None).await? {
            *counts.entry(tool.category).or_default() += 1;
        }
        Ok(counts.into_iter().collect())
    }
}
