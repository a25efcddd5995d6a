use proptest::prelude::*;
use proptest::sample::Index;

use super::*;
use crate::fixtures;

fn all() -> Vec<String> {
    [
        fixtures::all("openai", ".sse"),
        fixtures::all("openai-responses", ".sse"),
        fixtures::all("anthropic", ".sse"),
        fixtures::all("ollama", ".ndjson"),
    ]
    .concat()
}

/// Those whose streams no bytes can damage.
fn of_events() -> Vec<Dialect> {
    let all = Dialect::ALL.iter().copied();
    all.filter(|it| it.framing() == crate::Framing::Sse)
        .collect()
}

fn transcripts() -> impl Strategy<Value = String> {
    prop::sample::select(all())
}

fn options() -> impl Strategy<Value = TapOptions> {
    (any::<bool>(), 1_u32..3).prop_map(|(hide_usage, choices)| TapOptions {
        hide_usage,
        choices,
        ..TapOptions::default()
    })
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

fn borders(most: usize) -> impl Strategy<Value = Vec<Index>> {
    prop::collection::vec(any::<Index>(), 0..most)
}

/// The line ends that a framing knows.
fn line_ends(fixture: &str) -> &'static [&'static str] {
    match dialect_of(fixture).framing() {
        crate::Framing::Sse => &["\n", "\r\n", "\r"],
        crate::Framing::EventStream | crate::Framing::Ndjson => &["\n", "\r\n"],
    }
}

/// The same stream with other line ends.
fn with_line_ends(stream: &[u8], line_end: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    for byte in stream {
        match byte {
            b'\n' => out.extend_from_slice(line_end),
            b'\r' => {}
            byte => out.push(*byte),
        }
    }
    out
}

#[test]
fn one_byte_at_a_time_is_the_same_stream() {
    for fixture in all() {
        let stream = fixtures::read(&fixture);
        for hide_usage in [false, true] {
            let options = TapOptions {
                hide_usage,
                ..TapOptions::default()
            };
            let whole = watch(dialect_of(&fixture), options, &[&stream], End::Clean);
            let bytes: Vec<&[u8]> = stream.chunks(1).collect();
            let split = watch(dialect_of(&fixture), options, &bytes, End::Clean);
            assert_eq!(whole, split, "{fixture}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1024))]

    #[test]
    fn any_split_is_the_same_stream(
        fixture in transcripts(),
        options in options(),
        end in ends(),
        line_end in prop::sample::select(vec!["\n", "\r\n", "\r"]),
        at in borders(20),
    ) {
        let stream = with_line_ends(&fixtures::read(&fixture), line_end.as_bytes());
        let whole = watch(dialect_of(&fixture), options, &[&stream], end);
        let split = watch(dialect_of(&fixture), options, &cut(&stream, &at), end);
        prop_assert_eq!(whole, split);
    }

    #[test]
    fn line_ends_do_not_change_the_verdict(fixture in transcripts(), end in ends()) {
        let stream = fixtures::read(&fixture);
        let given = watch(dialect_of(&fixture), TapOptions::default(), &[&stream], end);
        for line_end in line_ends(&fixture) {
            let stream = with_line_ends(&stream, line_end.as_bytes());
            let other = watch(dialect_of(&fixture), TapOptions::default(), &[&stream], end);
            prop_assert_eq!(&other.outcome, &given.outcome);
            prop_assert_eq!(other.usage, given.usage);
            prop_assert_eq!(&other.head_failed, &given.head_failed);
        }
    }

    /// A body that breaks anywhere is finished only when its terminator had
    /// passed, and never ends in one that we made up.
    #[test]
    fn a_cut_anywhere_is_never_done(fixture in transcripts(), at in any::<Index>()) {
        let stream = fixtures::read(&fixture);
        let part = &stream[..at.index(stream.len() + 1)];
        let seen = watch(dialect_of(&fixture), TapOptions::default(), &[part], End::Cut);
        let marks: [&[u8]; 5] = [
            b"\"done\":true,\"",
            b"[DONE]",
            b"\"type\":\"message_stop\"",
            b"\"type\":\"response.completed\"",
            b"\"type\":\"response.incomplete\"",
        ];
        let has_mark =
            |bytes: &[u8]| marks.iter().any(|mark| memchr::memmem::find(bytes, mark).is_some());
        prop_assert!(!has_mark(&seen.appended));
        match seen.outcome {
            Outcome::Finished => prop_assert!(has_mark(part) && seen.appended.is_empty()),
            Outcome::Failed(_) => prop_assert!(!has_mark(&seen.forwarded)),
            Outcome::Truncated => {
                prop_assert!(!has_mark(&seen.forwarded));
                prop_assert!(memchr::memmem::find(&seen.appended, b"\"error\"").is_some());
            }
        }
        // Nothing is hidden by default but what follows a failure.
        prop_assert!(part.starts_with(&seen.forwarded));
    }

    #[test]
    fn no_bytes_panic(
        dialect in prop::sample::select(of_events()),
        options in options(),
        end in ends(),
        pieces in prop::collection::vec(any::<Vec<u8>>(), 0..8),
    ) {
        let pieces: Vec<&[u8]> = pieces.iter().map(Vec::as_slice).collect();
        watch(dialect, options, &pieces, end);
    }

    /// Transcripts with a few bytes overwritten come nearer to the parsers.
    #[test]
    fn no_damaged_transcript_panics_or_depends_on_its_split(
        fixture in transcripts(),
        options in options(),
        end in ends(),
        damage in prop::collection::vec((any::<Index>(), any::<u8>()), 0..6),
        at in borders(6),
    ) {
        let mut stream = fixtures::read(&fixture).to_vec();
        for (at, byte) in damage {
            if !stream.is_empty() {
                let at = at.index(stream.len());
                stream[at] = byte;
            }
        }
        let whole = watch(dialect_of(&fixture), options, &[&stream], end);
        let split = watch(dialect_of(&fixture), options, &cut(&stream, &at), end);
        prop_assert_eq!(whole, split);
    }
}
