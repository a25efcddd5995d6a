//! `logprobsResult` ⇄ log probabilities as OpenAI writes them.

use serde::{Deserialize, Serialize};
use serde_json::Number;
use serde_json::value::RawValue;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wire {
    #[serde(default)]
    chosen_candidates: Vec<Candidate>,
    #[serde(default)]
    top_candidates: Vec<Top>,
}

#[derive(Deserialize)]
struct Top {
    #[serde(default)]
    candidates: Vec<Candidate>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Candidate {
    token: Option<String>,
    log_probability: Option<Number>,
}

#[derive(Deserialize, Serialize)]
struct OpenAi {
    #[serde(default)]
    content: Vec<Token>,
}

#[derive(Deserialize, Serialize)]
struct Token {
    token: String,
    logprob: Number,
    bytes: Option<Vec<u8>>,
    #[serde(default)]
    top_logprobs: Vec<Alternative>,
}

#[derive(Deserialize, Serialize)]
struct Alternative {
    token: String,
    logprob: Number,
    bytes: Option<Vec<u8>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Out<'a> {
    chosen_candidates: Vec<OutCandidate<'a>>,
    top_candidates: Vec<OutTop<'a>>,
}

#[derive(Serialize)]
struct OutTop<'a> {
    candidates: Vec<OutCandidate<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct OutCandidate<'a> {
    token: &'a str,
    log_probability: &'a Number,
}

/// As OpenAI writes them; none when they are not in the documented shape.
pub(super) fn read(raw: &RawValue) -> Option<Box<RawValue>> {
    let wire: Wire = serde_json::from_str(raw.get()).ok()?;
    let mut tops = wire.top_candidates.into_iter();
    let chosen = wire.chosen_candidates.into_iter();
    let content = chosen.map(|chosen| {
        let top = tops.next().map(|top| top.candidates).unwrap_or_default();
        let alternatives = top.into_iter().filter_map(|it| {
            let (token, logprob) = (it.token?, it.log_probability?);
            Some(Alternative {
                bytes: Some(token.clone().into_bytes()),
                token,
                logprob,
            })
        });
        let token = chosen.token?;
        Some(Token {
            logprob: chosen.log_probability?,
            bytes: Some(token.clone().into_bytes()),
            token,
            top_logprobs: alternatives.collect(),
        })
    });
    let content = content.collect::<Option<Vec<_>>>()?;
    raw_of(&OpenAi { content })
}

/// As Gemini writes them.
pub(super) fn write(raw: &RawValue) -> Option<Box<RawValue>> {
    let read: OpenAi = serde_json::from_str(raw.get()).ok()?;
    let tokens = read.content.iter();
    let chosen = tokens.clone().map(|it| OutCandidate {
        token: &it.token,
        log_probability: &it.logprob,
    });
    let tops = tokens.map(|it| {
        let candidates = it.top_logprobs.iter();
        OutTop {
            candidates: candidates
                .map(|it| OutCandidate {
                    token: &it.token,
                    log_probability: &it.logprob,
                })
                .collect(),
        }
    });
    raw_of(&Out {
        chosen_candidates: chosen.collect(),
        top_candidates: tops.collect(),
    })
}

fn raw_of<T: Serialize>(value: &T) -> Option<Box<RawValue>> {
    serde_json::value::to_raw_value(value).ok()
}
