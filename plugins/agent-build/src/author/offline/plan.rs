//! The orchestrator's plan.

use crate::spec::{DataSet, Plan, PlannedStage, Requirements, StageOutline};

pub(in crate::author) fn plan(requirement: &Requirements, stages: &[StageOutline]) -> Plan {
    let language = requirement.language;
    let entries: usize = requirement.data.iter().map(DataSet::len).sum();
    let summary = if requirement.data.is_empty() {
        format!(
            "{}{}",
            language.pick("An agent made from the requirement's ", "根据需求构建智能体，任务句数："),
            language.pick(
                &format!("{} task sentence(s).", requirement.reading.tasks.len()),
                &requirement.reading.tasks.len().to_string()
            )
        )
    } else {
        language
            .pick(
                &format!("An agent made from {} task sentence(s) and {} data set(s) with {entries} entries that the requirement brings along.", requirement.reading.tasks.len(), requirement.data.len()),
                &format!("根据 {} 句任务和需求自带的 {} 份数据（共 {entries} 条）构建智能体。", requirement.reading.tasks.len(), requirement.data.len()),
            )
            .to_owned()
    };
    let say = |[en, zh]: [&str; 2]| language.pick(en, zh).to_owned();
    let stages = stages
        .iter()
        .map(|outline| PlannedStage {
            stage: outline.stage.to_owned(),
            goal: say(outline.goal),
            deliverable: say(outline.deliverable),
        })
        .collect();
    let assumptions = [
        [
            "The agent runs offline, on Python 3.9 or later and its standard library.",
            "智能体离线运行，只需 Python 3.9 及其标准库。",
        ],
        [
            "It answers only from its tools and the given data; it says so when it cannot.",
            "只依靠工具和所给数据回答，不能回答时明确说明。",
        ],
        [
            "With a model named in its environment the same folder runs on Strands.",
            "在环境变量中指定模型后，同一文件夹可在 Strands 上运行。",
        ],
    ];
    Plan { language, summary, stages, assumptions: assumptions.map(say).to_vec() }
}
