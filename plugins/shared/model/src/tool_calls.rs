//! Puts tool calls together from fragments.

use serde_json::Value;

use crate::typed::read_object;
use crate::{Identity, ModelError, StreamEvent, ToolDelta};

/// A tool call that has ended.
#[derive(Debug, Clone, PartialEq)]
pub struct ToolCall {
    pub slot: usize,
    pub id: String,
    pub name: String,
    pub arguments: Arguments,
}

/// What the model wrote as arguments.
#[derive(Debug, Clone, PartialEq)]
pub enum Arguments {
    Object(Value),
    /// No object: the call cannot be made, and the model should be told why.
    Unreadable {
        text: String,
        problem: String,
    },
}

/// A fragment as a provider sends it.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Fragment<'a> {
    pub(crate) index: Option<u64>,
    pub(crate) id: Option<&'a str>,
    pub(crate) name: Option<&'a str>,
    pub(crate) arguments: &'a str,
}

#[derive(Debug)]
struct Open {
    index: Option<u64>,
    /// The provider's id.
    id: Option<String>,
    name: Option<String>,
    arguments: String,
    /// How much of the arguments went out as deltas; `None` before the first one.
    told: Option<usize>,
}

/// The calls of one answer that have begun. They are matched by id and index: a fragment that fits two calls or none is an error.
#[derive(Debug)]
pub(crate) struct ToolCalls {
    who: Identity,
    /// The server numbers all calls alike, so that an id says more than an index.
    index_is_unreliable: bool,
    calls: Vec<Open>,
    /// Calls before this one have been delivered.
    delivered: usize,
    bytes: usize,
}

/// More is no answer but a server or a model that runs wild.
const MOST_CALLS: usize = 256;
const MOST_BYTES: usize = 8 << 20;

impl ToolCalls {
    pub(crate) fn new(who: &Identity, index_is_unreliable: bool) -> Self {
        Self { who: who.clone(), index_is_unreliable, calls: Vec::new(), delivered: 0, bytes: 0 }
    }

    pub(crate) fn has_any(&self) -> bool {
        !self.calls.is_empty()
    }

    /// Takes a fragment in; what is to be passed on comes back.
    pub(crate) fn take(&mut self, fragment: Fragment<'_>) -> Result<Option<StreamEvent>, ModelError> {
        let id = fragment.id.filter(|id| !id.is_empty());
        let name = fragment.name.filter(|name| !name.is_empty());
        let slot = match self.find(fragment.index, id)? {
            Some(slot) => slot,
            None => self.begin(fragment.index, id, name)?,
        };
        self.bytes += fragment.arguments.len();
        if self.bytes > MOST_BYTES {
            return Err(ModelError::protocol(
                &self.who,
                format_args!("the arguments of tool calls exceed {MOST_BYTES} bytes"),
            ));
        }
        let Some(call) = self.calls.get_mut(slot) else { return Ok(None) };
        match (&call.name, name) {
            (Some(known), Some(new)) if known != new => {
                let problem = format!("a tool call of `{known}` goes on under the name `{new}`");
                return Err(ModelError::protocol(&self.who, problem));
            }
            (None, Some(new)) => call.name = Some(new.to_owned()),
            _ => {}
        }
        if call.id.is_none() {
            call.id = id.map(str::to_owned);
        }
        call.arguments.push_str(fragment.arguments);
        Ok(call.delta(slot))
    }

    fn find(&self, index: Option<u64>, id: Option<&str>) -> Result<Option<usize>, ModelError> {
        let ambiguous = |what: String| Err(ModelError::protocol(&self.who, what));
        let by_id = id.and_then(|id| self.calls.iter().position(|call| call.id.as_deref() == Some(id)));
        let index = if self.index_is_unreliable && id.is_some() { None } else { index };
        let by_index = index.and_then(|index| self.calls.iter().rposition(|call| call.index == Some(index)));
        match (by_id, by_index) {
            (Some(one), Some(other)) if one != other => {
                ambiguous(format!("a fragment of a tool call has the id of call {one} and the index of call {other}"))
            }
            (Some(slot), None) if index.is_some() && self.calls.get(slot).is_some_and(|call| call.index.is_some()) => {
                ambiguous(format!("a fragment of a tool call has the id of call {slot} and an index that no call has"))
            }
            (Some(slot), _) => Ok(Some(slot)),
            (None, Some(slot)) => match (id, self.calls.get(slot).and_then(|call| call.id.as_deref())) {
                (Some(new), Some(known)) => {
                    ambiguous(format!("two tool calls have the same index: `{known}` and `{new}`"))
                }
                _ => Ok(Some(slot)),
            },
            (None, None) if index.is_none() && id.is_none() => match self.calls.len().saturating_sub(self.delivered) {
                0 => Ok(None),
                1 => Ok(Some(self.calls.len() - 1)),
                open => ambiguous(format!("a fragment without id and index fits each of {open} tool calls")),
            },
            (None, None) => Ok(None),
        }
    }

    fn begin(&mut self, index: Option<u64>, id: Option<&str>, name: Option<&str>) -> Result<usize, ModelError> {
        if id.is_none() && name.is_none() {
            return Err(ModelError::protocol(&self.who, "a fragment of a tool call belongs to no call that has begun"));
        }
        if self.calls.len() >= MOST_CALLS {
            return Err(ModelError::protocol(
                &self.who,
                format_args!("one answer has more than {MOST_CALLS} tool calls"),
            ));
        }
        self.calls.push(Open { index, id: id.map(str::to_owned), name: None, arguments: String::new(), told: None });
        Ok(self.calls.len() - 1)
    }

    /// The provider said that this call is complete; later fragments for it are errors of the server.
    pub(crate) fn end_of(&mut self, index: u64) -> Result<Option<StreamEvent>, ModelError> {
        // Blocks end in the order in which they began.
        let found = self.calls.get(self.delivered).is_some_and(|call| call.index == Some(index));
        if found { self.deliver_next(None).transpose() } else { Ok(None) }
    }

    /// Delivers what has begun and was not delivered: complete as far as anybody knows, or interrupted, with the reason.
    pub(crate) fn drain(&mut self, interrupted: Option<&str>) -> Vec<Result<StreamEvent, ModelError>> {
        std::iter::from_fn(|| self.deliver_next(interrupted)).collect()
    }

    fn deliver_next(&mut self, interrupted: Option<&str>) -> Option<Result<StreamEvent, ModelError>> {
        let slot = self.delivered;
        let call = self.calls.get_mut(slot)?;
        self.delivered += 1;
        let text = std::mem::take(&mut call.arguments);
        let id = call.id.clone().unwrap_or_else(|| made_up_id(slot));
        let arguments = match interrupted {
            Some(reason) => Arguments::Unreadable { text, problem: reason.to_owned() },
            None => read_arguments(text),
        };
        match (call.name.clone(), interrupted) {
            (Some(name), _) => Some(Ok(StreamEvent::ToolCall(ToolCall { slot, id, name, arguments }))),
            // The error that interrupted it says more than a call without a name would.
            (None, Some(_)) => self.deliver_next(interrupted),
            (None, None) => Some(Err(ModelError::protocol(&self.who, format_args!("tool call {slot} has no name")))),
        }
    }
}

impl Open {
    fn delta(&mut self, slot: usize) -> Option<StreamEvent> {
        let name = self.name.clone()?;
        let first = self.told.is_none();
        let told = self.told.unwrap_or(0);
        let arguments = self.arguments.get(told..)?.to_owned();
        if !first && arguments.is_empty() {
            return None;
        }
        self.told = Some(self.arguments.len());
        let id = first.then(|| self.id.get_or_insert_with(|| made_up_id(slot)).clone());
        Some(StreamEvent::ToolDelta(ToolDelta { slot, id, name: first.then_some(name), arguments }))
    }
}

/// For servers that give none. A conversation has many answers, so a count would not do.
fn made_up_id(slot: usize) -> String {
    format!("call_{slot}_{:016x}", rand::random::<u64>())
}

fn read_arguments(text: String) -> Arguments {
    if text.trim().is_empty() {
        return Arguments::Object(Value::Object(serde_json::Map::new()));
    }
    match read_object(&text) {
        Ok(value) => Arguments::Object(value),
        Err(problem) => Arguments::Unreadable { text, problem: problem.to_string() },
    }
}

#[cfg(test)]
#[path = "tool_calls_tests.rs"]
mod tests;
