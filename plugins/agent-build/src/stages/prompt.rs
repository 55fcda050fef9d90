//! Writes the system prompt, used when a model is configured.

use nexus_plugin_api::payload::StageResult;

use super::{Job, StageError};
use crate::{
    documents::{self, structured},
    spec::{AgentDesign, PromptRecord, Requirements, ToolRecords, VERSION},
};

pub(super) async fn run(mut job: Job) -> Result<StageResult, StageError> {
    let requirements: Requirements = job.input()?;
    let design: AgentDesign = job.input()?;
    let tools: Option<ToolRecords> = job.optional_input()?;
    let design = design.without(tools.as_ref().map_or(&[], |tools| &tools.left_out));
    let (author, brief) = job.author();
    let prompt = job.answer(author.write_prompt(&brief, &requirements, &design)).await?;
    let prompt_path = format!("prompts/{}.md", design.agent_name);
    job.file(format!("agent/{prompt_path}"), prompt.text.clone());
    let yaml = documents::prompt_yaml(&design, VERSION, job.model_id(), &today(), &prompt.text);
    job.file(format!("agent/prompts/{}.yaml", design.agent_name), yaml);
    let record = PromptRecord { role: prompt.role, rules: prompt.rules, prompt_path };
    job.structure(structured::prompt(&brief.project_name, &record, &design));
    job.finish(record, prompt.text).await
}

/// The date of today in UTC, `2026-01-31`.
fn today() -> String {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    date_of(since.as_secs() / 86_400)
}

/// The date of a day since 1970, by the rules of the Gregorian calendar.
fn date_of(mut day: u64) -> String {
    let is_leap = |year: u64| year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let mut year = 1970;
    while day >= 365 + u64::from(is_leap(year)) {
        day -= 365 + u64::from(is_leap(year));
        year += 1;
    }
    let mut month = 1;
    for days in [31, 28 + u64::from(is_leap(year)), 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] {
        if day < days {
            break;
        }
        day -= days;
        month += 1;
    }
    format!("{year}-{month:02}-{:02}", day + 1)
}

#[cfg(test)]
mod tests {
    use super::date_of;

    #[test]
    fn days_are_dates() {
        for (day, date) in [
            (0, "1970-01-01"),
            (59, "1970-03-01"),
            (11_016, "2000-02-29"),
            (20_484, "2026-01-31"),
            (20_818, "2026-12-31"),
        ] {
            assert_eq!(date_of(day), date);
        }
    }
}
