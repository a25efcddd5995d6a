//! The events about one item of an answer, as a client reads them.

use serde::Serialize;
use serde_json::value::RawValue;

use super::output::{Item, Kind, OutItem, OutPart};
use crate::json;

/// What is told of an item.
pub(super) enum What<'a> {
    /// It begins.
    Begun,
    /// It is whole.
    Ended,
    /// Its part, as far as it was said.
    Part,
    /// A piece.
    Piece(&'a str),
    /// All pieces.
    Whole,
}

/// An event, but for its kind and number.
#[derive(Serialize)]
#[serde(untagged)]
enum Out<'a> {
    Item {
        output_index: usize,
        item: OutItem<'a>,
    },
    Part {
        item_id: &'a str,
        output_index: usize,
        content_index: u32,
        part: OutPart<'a>,
    },
    SummaryPart {
        item_id: &'a str,
        output_index: usize,
        summary_index: u32,
        part: OutPart<'a>,
    },
    Text {
        item_id: &'a str,
        output_index: usize,
        content_index: u32,
        #[serde(flatten)]
        said: Said<'a>,
        logprobs: &'a [Box<RawValue>],
    },
    Refusal {
        item_id: &'a str,
        output_index: usize,
        content_index: u32,
        #[serde(flatten)]
        said: Said<'a>,
    },
    Summary {
        item_id: &'a str,
        output_index: usize,
        summary_index: u32,
        #[serde(flatten)]
        said: Said<'a>,
    },
    Arguments {
        item_id: &'a str,
        output_index: usize,
        #[serde(flatten)]
        said: Said<'a>,
    },
}

/// A piece, or all of them.
#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
enum Said<'a> {
    Arguments(&'a str),
    Delta(&'a str),
    Input(&'a str),
    Refusal(&'a str),
    Text(&'a str),
}

#[derive(Serialize)]
struct Numbered<'a> {
    r#type: &'static str,
    sequence_number: u64,
    #[serde(flatten)]
    event: Out<'a>,
}

/// Writes an event about the item at this place.
pub(super) fn write(
    name: &'static str,
    number: u64,
    item: &Item,
    output_index: usize,
    what: &What<'_>,
    out: &mut Vec<u8>,
) {
    let Some(event) = event(item, output_index, what) else {
        return;
    };
    let line = json::to_line(&Numbered {
        r#type: name,
        sequence_number: number,
        event,
    });
    line_of(name, &line, out);
}

/// JSON on one line needs no splitting.
pub(super) fn line_of(name: &str, line: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(b"event: ");
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"\ndata: ");
    out.extend_from_slice(line.as_bytes());
    out.extend_from_slice(b"\n\n");
}

fn event<'a>(item: &'a Item, output_index: usize, what: &What<'a>) -> Option<Out<'a>> {
    match what {
        What::Begun => Some(Out::Item {
            output_index,
            item: item.empty(),
        }),
        What::Ended => Some(Out::Item {
            output_index,
            item: item.out(),
        }),
        What::Part => part(item, output_index),
        What::Piece(text) => Some(said(item, output_index, Some(text))),
        What::Whole => Some(said(item, output_index, None)),
    }
}

fn part(item: &Item, output_index: usize) -> Option<Out<'_>> {
    let item_id = item.id.as_str();
    match &item.kind {
        Kind::Call { .. } => None,
        Kind::Message { .. } => Some(Out::Part {
            item_id,
            output_index,
            content_index: 0,
            part: item.part()?,
        }),
        Kind::Reasoning { summary, .. } => Some(Out::SummaryPart {
            item_id,
            output_index,
            summary_index: 0,
            part: OutPart::SummaryText { text: summary },
        }),
    }
}

/// A piece; none: all of them.
fn said<'a>(item: &'a Item, output_index: usize, piece: Option<&'a str>) -> Out<'a> {
    let item_id = item.id.as_str();
    match &item.kind {
        Kind::Call {
            arguments, custom, ..
        } => Out::Arguments {
            item_id,
            output_index,
            said: match piece {
                Some(piece) => Said::Delta(piece),
                None if *custom => Said::Input(arguments),
                None => Said::Arguments(arguments),
            },
        },
        Kind::Message {
            text,
            refusal: true,
            ..
        } => Out::Refusal {
            item_id,
            output_index,
            content_index: 0,
            said: piece.map_or(Said::Refusal(text), Said::Delta),
        },
        Kind::Message { text, logprobs, .. } => Out::Text {
            item_id,
            output_index,
            content_index: 0,
            said: piece.map_or(Said::Text(text), Said::Delta),
            // They come behind their piece, which has gone by then.
            logprobs: if piece.is_some() { &[] } else { logprobs },
        },
        Kind::Reasoning { summary, .. } => Out::Summary {
            item_id,
            output_index,
            summary_index: 0,
            said: piece.map_or(Said::Text(summary), Said::Delta),
        },
    }
}
