//! Conversations with agents and questions to them, as the cases put them into a store.

use nexus_daemon::{
    backend::store::NewMessage,
    domain::{
        agent::{Invocation, InvocationStatus},
        ids::{AgentId, InvocationId, SessionId},
        session::{Role, Session, SessionStatus},
        time::Timestamp,
    },
};

/// A new session with an agent.
pub fn session_of(agent: &AgentId) -> Session {
    let now = Timestamp::now();
    Session {
        session_id: SessionId::generate(),
        agent_id: agent.clone(),
        user_id: None,
        display_name: None,
        status: SessionStatus::Active,
        message_count: 0,
        created_at: now,
        last_active_at: now,
        metadata: None,
    }
}

/// A message that is not there yet.
pub fn message(session: &SessionId, role: Role, content: &str) -> NewMessage {
    NewMessage {
        session_id: session.clone(),
        role,
        content: content.into(),
        metadata: None,
        idempotency: None,
        holder: None,
    }
}

/// A question to an agent that ended like this.
pub fn invocation(agent: &AgentId, status: InvocationStatus, duration_ms: u64) -> Invocation {
    Invocation {
        invocation_id: InvocationId::generate(),
        agent_id: agent.clone(),
        session_id: None,
        user_id: "anna".into(),
        input_text: "?".into(),
        output_text: Some("!".into()),
        status,
        duration_ms,
        input_tokens: 5,
        output_tokens: 6,
        error_message: None,
        created_at: Timestamp::now(),
        metadata: None,
        tool_names: Vec::new(),
    }
}

/// The same, answered in 100 ms with the help of these tools.
pub fn invocation_with(agent: &AgentId, status: InvocationStatus, tools: &[&str]) -> Invocation {
    Invocation { tool_names: tools.iter().map(|tool| (*tool).to_owned()).collect(), ..invocation(agent, status, 100) }
}
