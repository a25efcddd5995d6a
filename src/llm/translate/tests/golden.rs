//! One golden per pair and case, reviewed as a diff. `AGENTKUBE_BLESS=1` writes
//! them.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use serde_json::{Value, json};

use super::*;

fn folder(client: &Side, provider: &Side) -> PathBuf {
    let pair = format!("{}--{}", client.dialect.as_str(), provider.dialect.as_str());
    [
        env!("CARGO_MANIFEST_DIR"),
        "../../tests/fixtures/translate/golden",
        &pair,
    ]
    .iter()
    .collect()
}

/// Compares with the golden of this name, or writes it.
fn check(folder: &std::path::Path, name: &str, found: &str, wrong: &mut Vec<String>) {
    let file = folder.join(name);
    if std::env::var_os("AGENTKUBE_BLESS").is_some() {
        fs::create_dir_all(folder).unwrap();
        fs::write(&file, found).unwrap();
        return;
    }
    let expected = fs::read_to_string(&file).unwrap_or_default();
    if expected != found {
        wrong.push(format!(
            "{}\n--- expected\n{expected}\n--- found\n{found}",
            file.display()
        ));
    }
}

fn none(wrong: &[String]) {
    assert!(
        wrong.is_empty(),
        "{} golden(s) differ; AGENTKUBE_BLESS=1 writes them\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

fn pretty(value: &Value) -> String {
    serde_json::to_string_pretty(value).unwrap() + "\n"
}

fn error(error: &ApiError, dialect: Dialect) -> Value {
    let body: Value = serde_json::from_slice(&error.body(dialect)).unwrap();
    json!({ "status": error.status(dialect).as_u16(), "body": body })
}

fn case(path: &str) -> &str {
    let name = path.rsplit_once('/').map_or(path, |(_, name)| name);
    name.split_once('.').map_or(name, |(name, _)| name)
}

/// Frames are written down as lines of JSON.
fn lines(client: &Side) -> &'static str {
    match client.dialect {
        Dialect::BedrockConverse => "jsonl",
        Dialect::AnthropicMessages
        | Dialect::Gemini
        | Dialect::OpenAiChat
        | Dialect::OpenAiResponses => "sse",
        Dialect::OllamaChat => "ndjson",
    }
}

fn requests(client: &Side) -> Vec<String> {
    fixtures::all(&format!("translate/{}", client.dialect.as_str()), ".json")
}

#[test]
fn requests_are_translated_as_reviewed() {
    let mut wrong = Vec::new();
    for (client, provider) in pairs() {
        for path in requests(client) {
            let body = fixtures::read(&path);
            let mut request: Value = serde_json::from_slice(&body).unwrap();
            let model = request["model"].as_str().unwrap().to_owned();
            let mut body = body;
            if client.dialect == Dialect::BedrockConverse {
                // Its path names it.
                request.as_object_mut().unwrap().shift_remove("model");
                body = Bytes::from(request.to_string());
            }
            let found = match ask(client.dialect, provider.dialect, &model, &body) {
                Ok(translated) => json!({
                    "dropped": translated.dropped.to_string(),
                    "strict": translated.dropped.refusal().map(|it| it.status(client.dialect).as_u16()),
                    "body": serde_json::from_slice::<Value>(&translated.body).unwrap(),
                }),
                Err(refused) => error(&refused, client.dialect),
            };
            let name = format!("request_{}.json", case(&path));
            check(
                &folder(client, provider),
                &name,
                &pretty(&found),
                &mut wrong,
            );
        }
    }
    none(&wrong);
}

#[test]
fn answers_and_errors_are_translated_as_reviewed() {
    let mut wrong = Vec::new();
    for (client, provider) in pairs() {
        let translator = Translator::new(client.dialect, provider.dialect);
        for path in provider.transcripts(".json") {
            let body = fixtures::read(&path);
            let context = context(client.dialect, provider.dialect, "");
            let found = if case(&path).contains("error_") {
                let digits: String = case(&path).chars().filter(char::is_ascii_digit).collect();
                let status = digits.parse::<u16>().unwrap_or(429);
                let status = http::StatusCode::from_u16(status).unwrap();
                let now = std::time::SystemTime::UNIX_EPOCH;
                let failure = crate::classify(status, &http::HeaderMap::new(), &body, now);
                error(&translator.error(&failure), client.dialect)
            } else {
                let answer = translator.response(&body, &context).unwrap();
                serde_json::from_slice(&answer.body).unwrap()
            };
            let name = format!("answer_{}.json", case(&path));
            check(
                &folder(client, provider),
                &name,
                &pretty(&found),
                &mut wrong,
            );
        }
    }
    none(&wrong);
}

#[test]
fn streams_are_translated_as_reviewed() {
    let mut wrong = Vec::new();
    for (client, provider) in pairs() {
        for path in provider.transcripts(provider.streams) {
            let usage = r#""stream_options":{"include_usage":true},"#;
            let members = match client.dialect {
                Dialect::OpenAiChat => usage,
                Dialect::AnthropicMessages
                | Dialect::BedrockConverse
                | Dialect::Gemini
                | Dialect::OllamaChat
                | Dialect::OpenAiResponses => "",
            };
            let body = fixtures::read(&path);
            let seen = stream(client.dialect, provider.dialect, members, &body, End::Clean);
            let name = format!("stream_{}.{}", case(&path), lines(client));
            check(&folder(client, provider), &name, &seen.all(), &mut wrong);
        }
    }
    none(&wrong);
}

#[test]
fn no_golden_is_left_over() {
    for (client, provider) in pairs() {
        let mut expected = BTreeSet::new();
        expected.extend(
            requests(client)
                .iter()
                .map(|path| format!("request_{}.json", case(path))),
        );
        let streams = provider.streams;
        for (kind, from, to) in [
            ("answer", ".json", "json"),
            ("stream", streams, lines(client)),
        ] {
            let transcripts = provider.transcripts(from);
            let names = transcripts.iter();
            expected.extend(names.map(|path| format!("{kind}_{}.{to}", case(path))));
        }
        let found: BTreeSet<String> = fs::read_dir(folder(client, provider))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        assert_eq!(found, expected);
    }
}
