//! How a model is asked to think: by a level, or by a budget of tokens.
//! <https://ai.google.dev/gemini-api/docs/thinking>

use serde::Serialize;

use crate::capabilities::ThinkingStyle;
use crate::codec::Encode;
use crate::ir::{Effort, Field, Reasoning};

/// The largest budget that all models take.
const MOST: u64 = 24_576;
/// The least budget of a model that always thinks.
const LEAST: u64 = 128;

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct OutThinking {
    #[serde(skip_serializing_if = "Option::is_none")]
    include_thoughts: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    thinking_budget: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    thinking_level: Option<String>,
}

/// What to ask for.
pub(super) fn ask(reasoning: Option<&Reasoning>, to: &mut Encode<'_>) -> Option<OutThinking> {
    let reasoning = reasoning?;
    let off = reasoning.enabled == Some(false) || reasoning.effort == Some(Effort::None);
    if to.capabilities.thinking == ThinkingStyle::None {
        if !off {
            to.drop_top(Field::Reasoning);
        }
        return None;
    }
    if off {
        return Some(least(to));
    }
    let wants = reasoning.enabled == Some(true) || reasoning.adaptive;
    let mut asked = OutThinking {
        include_thoughts: reasoning.show.or(wants.then_some(true)),
        ..OutThinking::default()
    };
    if let Some(budget) = reasoning.budget {
        if budget > MOST {
            to.drop_top(Field::ReasoningBudget);
        }
        asked.thinking_budget = i64::try_from(budget.min(MOST)).ok();
    } else if let Some(effort) = reasoning.effort {
        if to.capabilities.takes_effort {
            asked.thinking_level = Some(level(effort, to));
        } else {
            asked.thinking_budget = Some(share(effort));
        }
    } else if wants && !to.capabilities.takes_effort {
        // As much as the model likes.
        asked.thinking_budget = Some(-1);
    }
    (asked != OutThinking::default()).then_some(asked)
}

/// As little as the model can.
fn least(to: &mut Encode<'_>) -> OutThinking {
    let always = to.capabilities.thinking == ThinkingStyle::Always;
    if always {
        to.drop_top(Field::Reasoning);
    }
    let mut asked = OutThinking::default();
    if to.capabilities.takes_effort {
        let weakest = to.capabilities.efforts.iter().min();
        asked.thinking_level = weakest.map(|effort| word(*effort));
    } else {
        let least = if always { LEAST } else { 0 };
        asked.thinking_budget = i64::try_from(least).ok();
    }
    asked
}

fn level(effort: Effort, to: &mut Encode<'_>) -> String {
    let nearest = to.capabilities.nearest(effort);
    if nearest != effort {
        to.drop_top(Field::ReasoningEffort);
    }
    word(nearest)
}

/// `ThinkingLevel` ends at `XHIGH`.
fn word(effort: Effort) -> String {
    let effort = effort.min(Effort::XHigh);
    effort.as_str().to_ascii_uppercase()
}

/// The budgets that Google's own OpenAI-compatible API takes for efforts.
/// <https://ai.google.dev/gemini-api/docs/openai#thinking>
fn share(effort: Effort) -> i64 {
    match effort {
        Effort::None | Effort::Minimal | Effort::Low => 1024,
        Effort::Medium => 8192,
        Effort::High | Effort::XHigh | Effort::Max => 24_576,
    }
}
