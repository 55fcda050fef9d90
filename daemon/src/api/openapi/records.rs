//! The shapes of the domain's records, as SPEC.md's tables name their fields.

use nexus_evaluation::{Acceptance, Item, Outcome};

use super::shape::{Shape, describe, named};
use crate::domain::{
    agent::Agent,
    assessment::{Assessment, NotServed},
    failure::ErrorInfo,
    project::{AggregatedMetrics, Project, ProjectSummary},
    session::{Message, Session},
    stage::{GeneratedFile, Stage},
    task::Task,
    tool::Tool,
};

describe! {
    /// Sums over the stages of a project.
    AggregatedMetrics as "AggregatedMetrics" {
        total_input_tokens, total_output_tokens, total_tokens,
        /// US dollars.
        total_cost,
        /// Seconds.
        total_execution_time,
        total_tool_calls,
    }
}

describe! {
    /// Why a build failed.
    ErrorInfo as "ErrorInfo" {
        /// The stage that failed, when one did.
        stage,
        kind,
        /// For people.
        message,
        /// What the plugin said of it.
        details,
        /// The attempt that failed.
        attempt,
    }
}

describe! {
    /// A part of the requirement that is not served.
    NotServed as "NotServed" {
        /// In the requirement's words.
        text,
        /// Why.
        reason,
    }
}

impl Shape for Outcome {
    fn shape(components: &mut salvo::oapi::Components) -> serde_json::Value {
        named::<Self>(components, "CaseOutcome", |_| {
            serde_json::json!({
                "type": "string", "enum": ["passed", "failed", "unproven"],
                "description": "What became of a case; of an unproven one nothing can be said, and its reason says why.",
            })
        })
    }
}

describe! {
    /// A question that was made from the requirement and asked of the finished agent.
    Item as "AcceptanceItem" {
        /// `datum`, `task`, `refusal` or `trap`.
        kind,
        question,
        /// What the agent said; empty when it was not asked.
        answer,
        /// What should have come.
        expected,
        outcome,
        /// Why it did not pass.
        (maybe) reason,
        /// The words of the requirement that it was made from.
        (maybe) source,
    }
}

describe! {
    /// What the finished agent was asked at the end of its build.
    Acceptance as "Acceptance" {
        asked, passed, failed, unproven, items,
    }
}

describe! {
    /// How much of the requirement is served.
    Assessment as "Assessment" {
        /// Null until a stage said it.
        coverage,
        not_served,
        /// Null until the agent was asked.
        acceptance,
    }
}

describe! {
    /// A project: one requirement on its way to an agent.
    Project as "Project" {
        ..assessment;
        project_id, project_name, status,
        /// What the agent is to do.
        requirement,
        user_id, user_name,
        /// 1 (last) to 5 (first).
        priority,
        tags,
        /// 0 to 100.
        progress,
        current_stage, error_info, created_at, updated_at, started_at, completed_at, metrics, control_status,
        pause_requested_at, stop_requested_at, resume_from_stage, last_control_action, control_action_by,
        aggregated_metrics,
        /// The workflow that it is built by.
        workflow,
        /// What was said of the deployment.
        deployment,
        /// The task that may work on it.
        task_id,
    }
}

describe! {
    /// What lists of projects show.
    ProjectSummary as "ProjectSummary" {
        project_id, project_name, status,
        /// 0 to 100.
        progress,
        current_stage, created_at, updated_at,
    }
}

describe! {
    /// A file that a stage made.
    GeneratedFile as "GeneratedFile" {
        /// Relative to the project's folder.
        path,
        /// Bytes.
        size,
        /// SHA-256, hexadecimal.
        checksum,
        last_modified,
    }
}

describe! {
    /// A stage of a project's workflow.
    Stage as "Stage" {
        project_id, stage_name,
        /// From 1.
        stage_number,
        /// Chinese.
        display_name,
        /// English.
        display_name_en,
        status,
        /// The handler that runs it.
        agent_name,
        started_at, completed_at,
        /// So far, for a stage that runs.
        duration_seconds,
        input_tokens, output_tokens, tool_calls, output_data, error_message, logs,
        /// Relative to the project's folder.
        doc_path,
        agent_output_content, agent_output_s3_ref, generated_files, design_document, metrics,
        /// How often it was begun.
        attempt,
    }
}

describe! {
    /// A piece of queued work.
    Task as "Task" {
        task_id, task_type, project_id, status,
        /// 1 (last) to 5 (first).
        priority,
        payload, result, error_message, retry_count, created_at, started_at, completed_at,
        /// The daemon that works on it, or did.
        worker_id,
        updated_at,
    }
}

describe! {
    /// An agent that came out of a build.
    Agent as "Agent" {
        ..assessment;
        agent_id, project_id,
        /// By which programs know it; several may have one.
        agent_name,
        /// For people: no other agent is called so.
        display_name,
        description, category, version, status,
        /// The deployment target, such as `local`.
        deployment_type,
        agentcore_config, capabilities,
        /// Names of its tools.
        tools,
        /// Relative to the project's folder.
        prompt_path,
        /// Relative to the project's folder.
        code_path,
        created_at, updated_at, deployed_at, agentcore_runtime_arn, agentcore_runtime_alias, agentcore_region,
        /// Number of its deployment, raised by each: whichever daemon is asked answers with the code of that one.
        generation,
        total_invocations, successful_invocations, failed_invocations, avg_duration_ms, last_invoked_at,
        error_message,
        /// Its folder, relative to the project's.
        agent_dir,
    }
}

describe! {
    /// A conversation with an agent.
    Session as "SessionRecord" {
        session_id, agent_id, user_id, display_name, status, message_count, created_at, last_active_at, metadata,
    }
}

describe! {
    /// What was said.
    Message as "Message" {
        session_id, message_id, role, content, created_at,
        /// The caller's own data; of an answer its `tool_calls`, `content_blocks` and `usage`.
        metadata,
    }
}

describe! {
    /// A tool: one function that agents call.
    Tool as "Tool" {
        tool_id,
        /// By which agents call it.
        tool_name,
        /// For people.
        display_name,
        description, category, source, version,
        /// Relative to the project's folder, or within the plugin.
        code_path,
        /// The JSON Schema of its arguments. Keywords that begin with `x-` are the daemon's own.
        schema,
        /// Packages that it needs.
        dependencies,
        /// How often agents called it.
        usage_count,
        created_at, updated_at,
        /// The agent that it was made for.
        agent_id,
        /// The project that made it.
        project_id,
    }
}
