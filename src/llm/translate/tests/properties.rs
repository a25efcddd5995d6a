//! What holds for every transcript of every pair.

use proptest::prelude::*;
use proptest::sample::Index;

use super::*;

/// Client, provider, transcript.
fn transcripts() -> Vec<(Dialect, Dialect, String)> {
    let mut all = Vec::new();
    for (client, provider) in pairs() {
        for path in provider.transcripts(provider.streams) {
            all.push((client.dialect, provider.dialect, path));
        }
    }
    all
}

fn tap(client: Dialect, provider: Dialect) -> TranslatingTap {
    let context = context(client, provider, "");
    Translator::new(client, provider).stream(&context, TapOptions::default())
}

fn ends() -> impl Strategy<Value = End> {
    prop::sample::select(vec![End::Clean, End::Cut, End::Stalled])
}

fn cut<'a>(input: &'a [u8], at: &[Index]) -> Vec<&'a [u8]> {
    let mut borders: Vec<usize> = at.iter().map(|at| at.index(input.len() + 1)).collect();
    borders.extend([0, input.len()]);
    borders.sort_unstable();
    borders
        .windows(2)
        .map(|pair| &input[pair[0]..pair[1]])
        .collect()
}

/// The terminators of all client dialects.
fn has_terminator(text: &str) -> bool {
    [
        "data: [DONE]",
        "\"done\":true,\"done_reason\"",
        "event: message_stop",
        "{\"messageStop\"",
        "\"finishReason\":",
        "event: response.completed",
        "event: response.incomplete",
    ]
    .iter()
    .any(|terminator| text.contains(terminator))
}

/// An error, which is not `null`, as it is in every whole response.
fn has_error(text: &str) -> bool {
    text.replace("\"error\":null", "").contains("\"error\"")
}

#[test]
fn one_byte_at_a_time_is_the_same_stream() {
    for (client, provider, path) in transcripts() {
        let body = fixtures::read(&path);
        let whole = watch(tap(client, provider), &[&body], End::Clean);
        let bytes: Vec<&[u8]> = body.chunks(1).collect();
        let split = watch(tap(client, provider), &bytes, End::Clean);
        assert_eq!(whole, split, "{path}");
    }
}

#[test]
fn translation_and_tap_agree_on_how_a_stream_ends_and_what_it_cost() {
    for (client, provider, path) in transcripts() {
        let body = fixtures::read(&path);
        for end in [End::Clean, End::Cut] {
            let seen = watch(tap(client, provider), &[&body], end);
            let mut plain = crate::Tap::new(provider, TapOptions::default());
            // What cannot be read shows in the outcome.
            let _ = plain.feed(body.clone());
            assert_eq!(seen.outcome, plain.finish(end), "{path}");
            assert_eq!(seen.usage, plain.usage(), "{path}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn any_split_gives_the_same_client_events(
        (client, provider, path) in prop::sample::select(transcripts()),
        end in ends(),
        at in prop::collection::vec(any::<Index>(), 0..20),
    ) {
        let body = fixtures::read(&path);
        let whole = watch(tap(client, provider), &[&body], end);
        let split = watch(tap(client, provider), &cut(&body, &at), end);
        prop_assert_eq!(whole, split);
    }

    #[test]
    fn a_cut_anywhere_ends_in_an_error_and_no_terminator(
        (client, provider, path) in prop::sample::select(transcripts()),
        at in any::<Index>(),
    ) {
        let body = fixtures::read(&path);
        let part = &body[..at.index(body.len() + 1)];
        let seen = watch(tap(client, provider), &[part], End::Cut);
        let finished = seen.outcome == Outcome::Finished;
        prop_assert_eq!(has_terminator(&seen.all()), finished);
        prop_assert_eq!(has_error(&seen.all()), !finished);
    }

    #[test]
    fn no_damaged_transcript_panics_or_depends_on_its_split(
        (client, provider, path) in prop::sample::select(transcripts()),
        end in ends(),
        damage in prop::collection::vec((any::<Index>(), any::<u8>()), 0..6),
        at in prop::collection::vec(any::<Index>(), 0..6),
    ) {
        let mut body = fixtures::read(&path).to_vec();
        for (at, byte) in damage {
            if !body.is_empty() {
                let at = at.index(body.len());
                body[at] = byte;
            }
        }
        let whole = watch(tap(client, provider), &[&body], end);
        let split = watch(tap(client, provider), &cut(&body, &at), end);
        prop_assert_eq!(&whole, &split);
        prop_assert_eq!(has_terminator(&whole.all()), whole.outcome == Outcome::Finished);
    }

    #[test]
    fn no_request_panics(
        body in any::<Vec<u8>>(),
        client in 0..SIDES.len(),
        provider in 0..SIDES.len(),
    ) {
        let (client, provider) = (SIDES[client].dialect, SIDES[provider].dialect);
        let _ = ask(client, provider, "m", &body);
    }
}
