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
