//! `additionalModelRequestFields`: what only some models take, each in the words of
//! its maker.

use serde::Serialize;
use serde_json::Number;

use super::tools;
use crate::anthropic::{Asked, OutThinking, ask};
use crate::capabilities::{ConverseExtras, Parameter, ThinkingStyle};
use crate::codec::Encode;
use crate::ir::{ChatRequest, Effort, Field, Reasoning};

#[derive(Default, Serialize)]
pub(super) struct Additional<'a> {
    // Claude.
    #[serde(skip_serializing_if = "Option::is_none")]
    thinking: Option<OutThinking>,
    #[serde(skip_serializing_if = "Option::is_none")]
    output_config: Option<OutEffort>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_k: Option<&'a Number>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_choice: Option<OutSerial>,
    // Nova.
    #[serde(rename = "reasoningConfig", skip_serializing_if = "Option::is_none")]
    reasoning_config: Option<NovaReasoning>,
    #[serde(rename = "inferenceConfig", skip_serializing_if = "Option::is_none")]
    inference_config: Option<NovaInference<'a>>,
    // OpenAI's open models.
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning_effort: Option<&'static str>,
}

#[derive(Serialize)]
struct OutSerial {
    r#type: &'static str,
    disable_parallel_tool_use: bool,
}

#[derive(Serialize)]
struct OutEffort {
    effort: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct NovaReasoning {
    r#type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_reasoning_effort: Option<&'static str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct NovaInference<'a> {
    top_k: &'a Number,
}

/// How the model is asked to think, and what that forbids.
#[derive(Default)]
pub(super) struct Thinks {
    /// Claude with a budget: no temperature, no `top_k`, and the limit of output
    /// must be told.
    pub(super) with_budget: bool,
    /// Nova at its hardest: neither sampling nor a limit of output.
    pub(super) hard: bool,
}

impl Additional<'_> {
    pub(super) fn is_empty(&self) -> bool {
        self.thinking.is_none()
            && self.output_config.is_none()
            && self.top_k.is_none()
            && self.tool_choice.is_none()
            && self.reasoning_config.is_none()
            && self.inference_config.is_none()
            && self.reasoning_effort.is_none()
    }
}

/// Writes them.
pub(super) fn write<'a>(
    request: &'a ChatRequest,
    max_tokens: u64,
    to: &mut Encode<'_>,
) -> (Additional<'a>, Thinks) {
    let mut out = Additional::default();
    let mut thinks = Thinks::default();
    match to.capabilities.converse_extras {
        ConverseExtras::Anthropic => {
            let asked = ask(request, max_tokens, to);
            thinks.with_budget = asked.is_manual();
            let Asked { thinking, effort } = asked;
            out.thinking = thinking;
            out.output_config = effort.map(|effort| OutEffort { effort });
        }
        ConverseExtras::Nova => {
            out.reasoning_config = request.reasoning.as_ref().and_then(|it| nova(it, to));
            let effort = out.reasoning_config.as_ref();
            thinks.hard = effort.is_some_and(|it| it.max_reasoning_effort == Some("high"));
        }
        ConverseExtras::OpenAi => {
            let effort = request.reasoning.as_ref().and_then(|it| it.effort);
            out.reasoning_effort = effort.map(|wanted| nearest(wanted, to));
            if effort.is_none() && request.reasoning.is_some() {
                to.drop_top(Field::Reasoning);
            }
        }
        ConverseExtras::None => {
            if request.reasoning.as_ref().is_some_and(asks) {
                to.drop_top(field(request.reasoning.as_ref()));
            }
        }
    }
    top_k(request, &thinks, &mut out, to);
    out.tool_choice = tools::are_serial(request, to).then_some(OutSerial {
        r#type: "auto",
        disable_parallel_tool_use: true,
    });
    (out, thinks)
}

fn top_k<'a>(
    request: &'a ChatRequest,
    thinks: &Thinks,
    out: &mut Additional<'a>,
    to: &mut Encode<'_>,
) {
    let Some(wanted) = &request.sampling.top_k else {
        return;
    };
    let forbidden = thinks.with_budget || thinks.hard || to.capabilities.refuses(Parameter::TopK);
    match to.capabilities.converse_extras {
        ConverseExtras::Anthropic if !forbidden => out.top_k = Some(wanted),
        ConverseExtras::Nova if !forbidden => {
            out.inference_config = Some(NovaInference { top_k: wanted });
        }
        ConverseExtras::Anthropic
        | ConverseExtras::None
        | ConverseExtras::Nova
        | ConverseExtras::OpenAi => to.drop_top(Field::TopK),
    }
}

/// Not to think is what these models do anyway.
fn asks(reasoning: &Reasoning) -> bool {
    reasoning.enabled != Some(false) && reasoning.effort != Some(Effort::None)
}

fn nova(reasoning: &Reasoning, to: &mut Encode<'_>) -> Option<NovaReasoning> {
    if !asks(reasoning) {
        return None;
    }
    if to.capabilities.thinking == ThinkingStyle::None {
        to.drop_top(field(Some(reasoning)));
        return None;
    }
    if reasoning.budget.is_some() {
        to.drop_top(Field::ReasoningBudget);
    }
    Some(NovaReasoning {
        r#type: "enabled",
        max_reasoning_effort: Some(nearest(reasoning.effort.unwrap_or(Effort::Medium), to)),
    })
}

fn nearest(wanted: Effort, to: &mut Encode<'_>) -> &'static str {
    let nearest = to.capabilities.nearest(wanted);
    if nearest != wanted {
        to.drop_top(Field::ReasoningEffort);
    }
    nearest.as_str()
}

fn field(reasoning: Option<&Reasoning>) -> Field {
    let by_effort = |it: &Reasoning| it.effort.is_some() && it.enabled.is_none();
    if reasoning.is_some_and(by_effort) {
        Field::ReasoningEffort
    } else {
        Field::Reasoning
    }
}
