//! A prompt that is longer than the model's context window.
//!
//! Agents mend this themselves: they leave old turns out, or ask for less, and try
//! again. But each knows only the words of its own provider, so it is told in those.

use std::borrow::Cow;

use crate::{Dialect, Failure, FailureKind, ProviderMessage};

/// OpenAI's code for it.
pub(crate) const CODE: &str = "context_length_exceeded";

/// How providers and servers say it, in small letters.
const WORDS: &[&str] = &[
    // Anthropic
    "prompt is too long",
    "exceed context limit",
    // Bedrock, and Nova there
    "input is too long for requested model",
    "input tokens exceeds maximum length",
    // OpenAI, vLLM, OpenRouter, Mistral
    "maximum context length",
    "exceeds the context window",
    "longer than the maximum model length",
    // Gemini
    "exceeds the maximum number of tokens allowed",
    // Ollama, llama.cpp
    "exceeded max context length",
    "exceeds the available context size",
];

/// As Anthropic says it: one of these is looked for.
const ANTHROPICS: [&str; 2] = ["prompt is too long", "exceed context limit"];

/// As Bedrock says it.
const AMAZONS: &str = "Input is too long for requested model";

/// The tokens that a refusal tells of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Sizes {
    input: Option<u64>,
    output: Option<u64>,
    limit: Option<u64>,
}

impl Failure {
    /// True when the request does not fit into the model's context window.
    #[must_use]
    pub fn overflows(&self) -> bool {
        if self.kind != FailureKind::BadRequest {
            return false;
        }
        let said = self.message.as_ref().map(ProviderMessage::for_client);
        let said = said.unwrap_or_default().to_ascii_lowercase();
        self.code.as_deref() == Some(CODE) || WORDS.iter().any(|words| said.contains(words))
    }

    /// True when a client of this dialect would not know the provider's own refusal
    /// for what it is, though that is in its dialect: compatible servers have words of
    /// their own.
    #[must_use]
    pub fn is_foreign_to(&self, client: Dialect) -> bool {
        let said = self.message.as_ref().map(ProviderMessage::for_client);
        let said = said.unwrap_or_default();
        self.overflows()
            && match client {
                Dialect::AnthropicMessages => !is_anthropics(said),
                Dialect::BedrockConverse => !said.contains(AMAZONS),
                Dialect::OpenAiChat | Dialect::OpenAiResponses => {
                    self.code.as_deref() != Some(CODE)
                }
                // There they have no words that somebody looks for.
                Dialect::Gemini | Dialect::OllamaChat => false,
            }
    }
}

/// For clients of Anthropic.
pub(crate) fn in_anthropics_words(said: &str) -> Cow<'_, str> {
    if is_anthropics(said) {
        return Cow::Borrowed(said);
    }
    let Sizes {
        input,
        output,
        limit,
    } = Sizes::read(said);
    Cow::Owned(match (input, output, limit) {
        (Some(input), Some(output), Some(limit)) if input < limit => format!(
            "input length and `max_tokens` exceed context limit: {input} + {output} > {limit}, \
             decrease input length or `max_tokens` and try again"
        ),
        (Some(input), _, Some(limit)) if input > limit => {
            format!("prompt is too long: {input} tokens > {limit} maximum")
        }
        _ => format!("prompt is too long: {said}"),
    })
}

/// For clients of Bedrock.
pub(crate) fn in_amazons_words(said: &str) -> Cow<'_, str> {
    if said.contains(AMAZONS) {
        return Cow::Borrowed(said);
    }
    Cow::Owned(format!("{AMAZONS}: {said}"))
}

fn is_anthropics(said: &str) -> bool {
    let said = said.to_ascii_lowercase();
    ANTHROPICS.iter().any(|words| said.contains(words))
}

impl Sizes {
    /// By the words around each number: no two servers put them alike.
    fn read(said: &str) -> Self {
        let said = said.to_ascii_lowercase();
        let words: Vec<&str> = said.split_whitespace().collect();
        let mut sizes = Self::default();
        for (at, word) in words.iter().enumerate() {
            let Some(number) = number(word) else { continue };
            let before = before(&words, at);
            let after = if ends(word) {
                String::new()
            } else {
                after(&words, at)
            };
            let has = |text: &str, any: &[&str]| any.iter().any(|one| text.contains(one));
            let place = if has(&before, &["maximum"]) {
                &mut sizes.limit
            } else if has(&after, &["output", "completion"]) || has(&before, &["max_tokens"]) {
                &mut sizes.output
            } else if has(&after, &["input", "messages"])
                || has(&before, &["input", "prompt", "resulted"])
            {
                &mut sizes.input
            } else {
                continue;
            };
            place.get_or_insert(number);
        }
        sizes
    }
}

/// How many words around a number tell what it is.
const AROUND: usize = 6;

/// What stands before a number, back to the one before.
fn before(words: &[&str], at: usize) -> String {
    let words = words.get(..at).unwrap_or_default().iter().rev();
    let mut near: Vec<&str> = words
        .take(AROUND)
        .take_while(|word| number(word).is_none())
        .copied()
        .collect();
    near.reverse();
    near.join(" ")
}

/// What stands behind a number, up to the end of its phrase or the next one.
fn after(words: &[&str], at: usize) -> String {
    let mut near = Vec::new();
    let words = words.get(at + 1..).unwrap_or_default();
    for word in words.iter().take(AROUND) {
        if number(word).is_some() {
            break;
        }
        near.push(*word);
        if ends(word) {
            break;
        }
    }
    near.join(" ")
}

/// True where a phrase ends.
fn ends(word: &str) -> bool {
    word.ends_with(['.', ',', ';', ':', ')'])
}

fn number(word: &str) -> Option<u64> {
    let digits = word.trim_matches(|c: char| !c.is_ascii_digit());
    digits.replace(',', "").parse().ok()
}

#[cfg(test)]
mod tests;
