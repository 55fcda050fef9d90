//! Asks the finished agent its cases and judges the answers.

use nexus_evaluation::{Acceptance, Answer, Call, Coverage, Item, NotServed, Outcome, Turn, Verdict, judge};
use serde_json::Value;

use super::{Case, CaseKind, Frozen};
use crate::{
    spec::{AgentDesign, Language, ToolRecords, Uncovered},
    verify::{Check, Finding, RunningAgent, VerifyError},
};

/// What an exam found out.
#[derive(Clone, Debug, Default)]
pub(crate) struct Exam {
    pub(crate) acceptance: Acceptance,
    /// Wrong figures: the build fails by these.
    pub(crate) findings: Vec<Finding>,
    misses: Vec<Miss>,
}

/// A question that was due and got no right answer.
#[derive(Clone, Debug)]
struct Miss {
    /// The words of the requirement that it was made from.
    text: String,
    ask: String,
    /// A clause of a task of which nothing came right: the agent has no such ability.
    no_ability: bool,
}

/// Most misses that the records and the agent name one by one.
const MOST_MISSES: usize = 10;

/// Asks every case in a session of its own.
pub(crate) async fn ask(requirement: &str, frozen: &Frozen, agent: &RunningAgent) -> Result<Exam, VerifyError> {
    let mut exam = Exam::default();
    let mut items = Vec::with_capacity(frozen.cases.len());
    for (number, case) in frozen.cases.iter().enumerate() {
        if let Some(reason) = &case.unproven {
            items.push(item(case, String::new(), Outcome::Unproven, Some(reason.clone())));
            continue;
        }
        let said = agent.invoke(&case.ask, &format!("acceptance-of-the-build-case-{number:08}")).await?;
        let answer = read(&said);
        let turn = Turn { requirement, earlier: &[], question: &case.ask };
        let judgement = judge(turn, &case.oracle, &answer);
        if judgement.verdict == Verdict::Right {
            items.push(item(case, answer.text, Outcome::Passed, None));
            continue;
        }
        let reason = judgement.reason;
        if is_wrong_figure(case, judgement.verdict) {
            exam.findings.push(finding(case, &said, &answer, &reason));
        }
        if case.oracle.is_due() && case.kind != CaseKind::Trap {
            exam.misses.push(Miss {
                text: case.source.clone().unwrap_or_else(|| case.ask.clone()),
                ask: case.ask.clone(),
                no_ability: case.kind == CaseKind::Task,
            });
        }
        items.push(item(case, answer.text, Outcome::Failed, Some(reason)));
    }
    let works = |text: &str| {
        items.iter().any(|item: &Item| item.outcome == Outcome::Passed && item.source.as_deref() == Some(text))
    };
    exam.misses.iter_mut().for_each(|miss| miss.no_ability &= !works(&miss.text));
    exam.acceptance = Acceptance::of(items);
    Ok(exam)
}

/// Whether somebody would be told a wrong number, day or time.
fn is_wrong_figure(case: &Case, verdict: Verdict) -> bool {
    verdict == Verdict::Wrong && case.oracle.has_figures()
}

fn item(case: &Case, answer: String, outcome: Outcome, reason: Option<String>) -> Item {
    Item {
        kind: case.kind.word().to_owned(),
        question: case.ask.clone(),
        answer,
        expected: case.expected.clone(),
        outcome,
        reason,
        source: case.source.clone(),
    }
}

fn read(said: &Value) -> Answer {
    let text = |value: &Value, name: &str| value.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let calls = said.get("tool_calls").and_then(Value::as_array).into_iter().flatten();
    let calls = calls.map(|call| Call { name: text(call, "name"), ok: text(call, "status") == "success" });
    Answer { text: text(said, "output"), calls: calls.collect() }
}

fn finding(case: &Case, said: &Value, answer: &Answer, reason: &str) -> Finding {
    let called = said.pointer("/tool_calls/0/name").and_then(Value::as_str);
    // Contradictory data is mended in the requirement: which sentence is meant.
    let said_of = case.source.as_ref().map(|source| format!("{reason}; made from the requirement's words: {source}"));
    let finding = Finding::new(Check::Acceptance, &case.ask, &case.expected, answer.text.clone())
        .with_output(said_of.as_deref().unwrap_or(reason));
    // The function's name; the stage knows whose it is.
    Finding { tool: called.map(str::to_owned), ..finding }
}

impl Exam {
    /// The findings with the tools that the called functions belong to.
    pub(crate) fn findings_of(&self, tools: &ToolRecords) -> Vec<Finding> {
        let owner = |function: &str| {
            let tool = tools.tools.iter().find(|tool| tool.about.functions.iter().any(|one| one.name == function));
            tool.map(|tool| tool.about.id.clone())
        };
        let each = self
            .findings
            .iter()
            .map(|finding| Finding { tool: finding.tool.as_deref().and_then(owner), ..finding.clone() });
        each.collect()
    }

    /// Abilities that the agent turned out to lack, for it to say so itself. An entry of its data that one question did not
    /// find is none of them: another question may.
    pub(crate) fn lacking(&self, language: Language) -> Vec<NotServed> {
        self.told(language, |miss| miss.no_ability)
    }

    /// What was missed, in the words of the language.
    pub(crate) fn missed(&self, language: Language) -> Vec<NotServed> {
        self.told(language, |_| true)
    }

    fn told(&self, language: Language, which: impl Fn(&Miss) -> bool) -> Vec<NotServed> {
        let mut all: Vec<NotServed> = Vec::new();
        for Miss { text, ask, .. } in self.misses.iter().filter(|miss| which(miss)) {
            if all.len() < MOST_MISSES && !all.iter().any(|one| one.text == *text) {
                let reason = language
                    .pick(
                        &format!("asked \"{ask}\" at the end of the build, it did not answer rightly"),
                        &format!("构建结束时问“{ask}”，没有得到正确回答"),
                    )
                    .to_owned();
                all.push(NotServed { text: text.clone(), reason });
            }
        }
        all
    }

    /// Coverage and what is not served, by the design and by what was missed.
    pub(crate) fn coverage(&self, design: &AgentDesign) -> (Coverage, Vec<NotServed>) {
        let known = design.not_served.iter();
        let mut not_served: Vec<NotServed> = known
            .map(|Uncovered { text, reason, .. }| NotServed { text: text.clone(), reason: reason.clone() })
            .collect();
        not_served.extend(self.missed(design.language));
        let coverage = match design.coverage {
            crate::spec::Coverage::None => Coverage::None,
            crate::spec::Coverage::Full if not_served.is_empty() => Coverage::Full,
            _ => Coverage::Partial,
        };
        (coverage, not_served)
    }
}
