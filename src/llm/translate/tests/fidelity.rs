//! The table of what each pair carries, made by asking the code.

use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;

use serde_json::Value;

use super::*;

/// The models whose capabilities the table shows: one of each provider that takes
/// much, and what it does not take is the wire's doing.
const MODELS: [(Dialect, &str); 6] = [
    (Dialect::AnthropicMessages, "claude-opus-4-5"),
    (
        Dialect::BedrockConverse,
        "us.anthropic.claude-sonnet-4-5-20250929-v1:0",
    ),
    (Dialect::Gemini, "gemini-3-flash-preview"),
    (Dialect::OllamaChat, "qwen3"),
    (Dialect::OpenAiChat, "gpt-5.1"),
    (Dialect::OpenAiResponses, "gpt-5.1"),
];

fn verdict(client: Dialect, provider: Dialect, members: &Value) -> String {
    let mut body: Value = serde_json::from_slice(&least(client, "")).unwrap();
    for (name, value) in members.as_object().unwrap() {
        body[name] = value.clone();
    }
    let (_, model) = MODELS.iter().find(|(of, _)| *of == provider).unwrap();
    match ask(client, provider, model, body.to_string().as_bytes()) {
        Err(refused) => format!("refused: {}", refused.param.as_deref().unwrap_or("body")),
        Ok(asked) if asked.dropped.is_empty() => String::from("carried"),
        Ok(asked) if asked.dropped.refusal().is_none() => {
            format!("stripped: `{}`", asked.dropped)
        }
        Ok(asked) => format!("dropped: `{}`", asked.dropped),
    }
}

fn table() -> String {
    let mut table = String::from(
        "# What translation carries\n\nMade from the code by `AGENTKUBE_BLESS=1 cargo test -p \
         agentkube-llm fidelity`; a test holds it to the code.\n\n*carried*: the provider gets it, \
         in its own words. *dropped*: named in `x-agentkube-dropped`, a 400 under `translation: \
         strict`. *stripped*: named, but never refused, since the client only replays what it was \
         told. *refused*: a 400 always. Single models refuse more (`capabilities/models.json`).\n",
    );
    for (client, provider) in pairs() {
        let (_, model) = MODELS
            .iter()
            .find(|(of, _)| *of == provider.dialect)
            .unwrap();
        let (from, to) = (client.dialect.title(), provider.dialect.title());
        let _ = write!(
            table,
            "\n## {from} → {to}\n\nSeen with `{model}`.\n\n| field | |\n|---|---|\n"
        );
        let fields = format!("translate/fields/{}.json", client.dialect.as_str());
        let fields: Value = serde_json::from_slice(&fixtures::read(&fields)).unwrap();
        for (field, members) in fields.as_object().unwrap() {
            let verdict = verdict(client.dialect, provider.dialect, members);
            let _ = writeln!(table, "| `{field}` | {verdict} |");
        }
    }
    table
}

#[test]
fn fidelity_is_as_the_table_says() {
    let file: PathBuf = [
        env!("CARGO_MANIFEST_DIR"),
        "../../tests/fixtures/translate/fidelity.md",
    ]
    .iter()
    .collect();
    let found = table();
    if std::env::var_os("AGENTKUBE_BLESS").is_some() {
        fs::write(&file, &found).unwrap();
    }
    assert_eq!(fs::read_to_string(&file).unwrap_or_default(), found);
}

/// What the provider does anyway, and what is about the answer: carried without a word.
const NEEDS_NO_WORD: &[(&str, Option<Dialect>)] = &[
    // The path says it, or nothing: Ollama streams unless it is told not to.
    ("stream", None),
    ("stream, stream_options.include_usage", None),
    // The client's own items come back to it, sealed.
    ("include reasoning.encrypted_content", None),
    // Claude does not think unless it is told to.
    ("thinking disabled", Some(Dialect::BedrockConverse)),
    (
        "additionalModelRequestFields.thinking disabled",
        Some(Dialect::AnthropicMessages),
    ),
    (
        "generationConfig.thinkingConfig.thinkingBudget (0)",
        Some(Dialect::AnthropicMessages),
    ),
    (
        "generationConfig.thinkingConfig.thinkingBudget (0)",
        Some(Dialect::BedrockConverse),
    ),
    // Ollama shows all thoughts.
    (
        "generationConfig.thinkingConfig.includeThoughts",
        Some(Dialect::OllamaChat),
    ),
    // They have no word to forbid calls; the tools are kept from them.
    (
        "toolConfig.functionCallingConfig.mode NONE",
        Some(Dialect::BedrockConverse),
    ),
    (
        "toolConfig.functionCallingConfig.mode NONE",
        Some(Dialect::OllamaChat),
    ),
];

/// A field that is carried shows in what the provider is asked: else the table would
/// only say that nobody noticed the loss.
#[test]
fn what_is_carried_is_said_to_the_provider() {
    let mut silent = Vec::new();
    let mut needless: Vec<_> = NEEDS_NO_WORD.iter().collect();
    for (client, provider) in pairs() {
        let (_, model) = MODELS
            .iter()
            .find(|(of, _)| *of == provider.dialect)
            .unwrap();
        let said = |body: &Value| {
            let body = body.to_string();
            ask(client.dialect, provider.dialect, model, body.as_bytes())
                .unwrap()
                .body
        };
        let fields = format!("translate/fields/{}.json", client.dialect.as_str());
        let fields: Value = serde_json::from_slice(&fixtures::read(&fields)).unwrap();
        for (field, members) in fields.as_object().unwrap() {
            if verdict(client.dialect, provider.dialect, members) != "carried" {
                continue;
            }
            let least: Value = serde_json::from_slice(&least(client.dialect, "")).unwrap();
            let mut asked = least.clone();
            for (name, value) in members.as_object().unwrap() {
                asked[name] = value.clone();
            }
            if said(&asked) != said(&least) {
                continue;
            }
            let excused = |(name, of): &(&str, Option<Dialect>)| {
                name == field && of.is_none_or(|of| of == provider.dialect)
            };
            needless.retain(|it| !excused(it));
            if !NEEDS_NO_WORD.iter().any(excused) {
                let (from, to) = (client.dialect.title(), provider.dialect.title());
                silent.push(format!("{from} → {to}: {field}"));
            }
        }
    }
    assert_eq!(silent, Vec::<String>::new());
    assert_eq!(needless, Vec::<&(&str, Option<Dialect>)>::new());
}
