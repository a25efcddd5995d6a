//! How a model is asked to think, and what that forbids.
//! <https://docs.anthropic.com/en/docs/build-with-claude/extended-thinking>

use serde::Serialize;

use crate::capabilities::ThinkingStyle;
use crate::codec::Encode;
use crate::custody;
use crate::ir::{ChatRequest, Content, Effort, Field, Reasoning, Role, ToolChoice};

/// The least budget that is taken.
const LEAST: u64 = 1024;

/// `thinking` of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub(crate) enum OutThinking {
    Adaptive {
        #[serde(skip_serializing_if = "Option::is_none")]
        display: Option<&'static str>,
    },
    Disabled,
    Enabled {
        budget_tokens: u64,
        #[serde(skip_serializing_if = "Option::is_none")]
        display: Option<&'static str>,
    },
}

/// `thinking` and `output_config.effort`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Asked {
    pub(crate) thinking: Option<OutThinking>,
    pub(crate) effort: Option<&'static str>,
}

impl Asked {
    /// True when the model thinks with a budget: then it takes no temperature and
    /// no forced tool.
    pub(crate) fn is_manual(&self) -> bool {
        matches!(self.thinking, Some(OutThinking::Enabled { .. }))
    }
}

/// What to ask for.
pub(crate) fn ask(request: &ChatRequest, max_tokens: u64, to: &mut Encode<'_>) -> Asked {
    let Some(reasoning) = &request.reasoning else {
        return Asked::default();
    };
    let style = to.capabilities.thinking;
    if reasoning.enabled == Some(false) || reasoning.effort == Some(Effort::None) {
        return off(style, to);
    }
    let effort = effort(reasoning, to);
    let display = reasoning
        .show
        .map(|show| if show { "summarized" } else { "omitted" });
    let thinking = match style {
        ThinkingStyle::None => {
            to.drop_top(asked_field(reasoning));
            None
        }
        ThinkingStyle::Adaptive | ThinkingStyle::AdaptiveByDefault | ThinkingStyle::Both
            if style != ThinkingStyle::Both || reasoning.budget.is_none() =>
        {
            if reasoning.budget.is_some() {
                to.drop_top(Field::ReasoningBudget);
            }
            // "Thinking may not be enabled when tool_choice forces tool use": not so
            // for models that think by themselves.
            if forces(request) && style != ThinkingStyle::AdaptiveByDefault {
                to.drop_top(asked_field(reasoning));
                return Asked {
                    thinking: None,
                    effort,
                };
            }
            Some(OutThinking::Adaptive { display })
        }
        // Always on; a mode would be refused.
        ThinkingStyle::Always => {
            if reasoning.budget.is_some() {
                to.drop_top(Field::ReasoningBudget);
            }
            None
        }
        ThinkingStyle::Adaptive
        | ThinkingStyle::AdaptiveByDefault
        | ThinkingStyle::Both
        | ThinkingStyle::Budget => manual(request, reasoning, max_tokens, display, to),
    };
    Asked { thinking, effort }
}

fn off(style: ThinkingStyle, to: &mut Encode<'_>) -> Asked {
    let thinking = match style {
        ThinkingStyle::AdaptiveByDefault => Some(OutThinking::Disabled),
        ThinkingStyle::Always => {
            to.drop_top(Field::Reasoning);
            None
        }
        ThinkingStyle::Adaptive
        | ThinkingStyle::Both
        | ThinkingStyle::Budget
        | ThinkingStyle::None => None,
    };
    Asked {
        thinking,
        effort: None,
    }
}

fn effort(reasoning: &Reasoning, to: &mut Encode<'_>) -> Option<&'static str> {
    let wanted = reasoning.effort?;
    if !to.capabilities.takes_effort {
        return None;
    }
    let nearest = to.capabilities.nearest(wanted);
    if nearest != wanted {
        to.drop_top(Field::ReasoningEffort);
    }
    Some(nearest.as_str())
}

/// Thinking with a budget, unless something else in the request forbids it.
fn manual(
    request: &ChatRequest,
    reasoning: &Reasoning,
    max_tokens: u64,
    display: Option<&'static str>,
    to: &mut Encode<'_>,
) -> Option<OutThinking> {
    // "A final assistant message must start with a thinking block … To avoid this
    // requirement, disable thinking." The client cannot mend it: thoughts were
    // lost, or another model called the tools.
    if lost_thoughts(request, to.model) {
        return None;
    }
    let budget = reasoning
        .budget
        .unwrap_or_else(|| share(reasoning, max_tokens));
    let budget = budget.max(LEAST);
    if forces(request) || budget >= max_tokens {
        to.drop_top(asked_field(reasoning));
        return None;
    }
    Some(OutThinking::Enabled {
        budget_tokens: budget,
        display,
    })
}

/// True when a tool must be called.
fn forces(request: &ChatRequest) -> bool {
    let must = matches!(
        request.tool_choice,
        Some(
            ToolChoice::Named(_)
                | ToolChoice::Required
                | ToolChoice::Allowed { required: true, .. }
        )
    );
    must && !request.tools.is_empty()
}

/// The part of the output that an effort is worth.
fn share(reasoning: &Reasoning, max_tokens: u64) -> u64 {
    let percent = match reasoning.effort {
        Some(Effort::None | Effort::Minimal) => 10,
        Some(Effort::Low) => 20,
        None | Some(Effort::Medium) => 50,
        Some(Effort::High) => 75,
        Some(Effort::XHigh | Effort::Max) => 90,
    };
    max_tokens.saturating_mul(percent) / 100
}

fn asked_field(reasoning: &Reasoning) -> Field {
    if reasoning.effort.is_some() && reasoning.enabled.is_none() {
        Field::ReasoningEffort
    } else {
        Field::Reasoning
    }
}

/// True when the last turn of the model called tools and does not begin with
/// thoughts that may be given back.
fn lost_thoughts(request: &ChatRequest, model: &str) -> bool {
    let last = request
        .messages
        .iter()
        .rposition(|message| message.role == Role::Assistant);
    let Some(last) = last else { return false };
    // Parts of one turn may be several messages.
    let turn = request
        .messages
        .get(..=last)
        .unwrap_or_default()
        .iter()
        .rev()
        .take_while(|message| message.role == Role::Assistant)
        .last();
    let first = turn.and_then(|message| message.blocks.first());
    let calls = request
        .messages
        .get(last)
        .into_iter()
        .flat_map(|message| &message.blocks)
        .any(|block| matches!(block.content, Content::ToolCall { .. }));
    let begins = first.is_some_and(|block| match &block.content {
        Content::Thinking(thinking) => custody::may_be_given_back(thinking, model),
        Content::Media(_)
        | Content::Other(_)
        | Content::Refusal(_)
        | Content::Text(_)
        | Content::ToolCall { .. }
        | Content::ToolResult { .. } => false,
    });
    calls && !begins
}
