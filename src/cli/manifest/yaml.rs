//! YAML text → a tree that remembers where each node stands.

use std::collections::HashMap;

use granit_parser::{Event, Marker, Parser, ScalarStyle, Span};

use super::Position;
use super::scalar::{Scalar, resolve};

/// Aliases may expand to this many nodes in one document: enough for any real
/// manifest, and an end to "billion laughs".
const MAX_NODES: usize = 1_000_000;
/// Nesting of one document.
const MAX_DEPTH: usize = 100;

/// A node and where it begins.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) at: Position,
    pub(super) kind: NodeKind,
}

#[derive(Clone, Debug)]
pub(super) enum NodeKind {
    Scalar(Scalar),
    Sequence(Vec<Node>),
    /// In the order of the file.
    Mapping(Vec<Entry>),
}

/// One `key: value` of a mapping.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) key: String,
    pub(super) at: Position,
    /// True for a plain `<<`.
    pub(super) merge: bool,
    pub(super) value: Node,
}

/// Text that is not YAML, or not YAML that we take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct YamlError {
    pub(super) at: Position,
    pub(super) message: String,
}

/// The documents of a stream; empty ones are left out.
pub(super) fn parse(text: &str) -> Result<Vec<Node>, YamlError> {
    let mut reader = Reader {
        parser: Parser::new_from_str(text),
        anchors: HashMap::new(),
        nodes: 0,
    };
    let mut documents = Vec::new();
    loop {
        match reader.next()? {
            (Event::StreamEnd, _) => return Ok(documents),
            (Event::DocumentStart(..), _) => {
                reader.anchors.clear();
                reader.nodes = 0;
            }
            (Event::StreamStart | Event::DocumentEnd, _) => {}
            (event, span) => {
                let node = reader.node(event, span, 0)?;
                if !matches!(node.kind, NodeKind::Scalar(Scalar::Null)) {
                    documents.push(node);
                }
            }
        }
    }
}

struct Reader<'a> {
    parser: Parser<'a, granit_parser::StrInput<'a>>,
    anchors: HashMap<usize, (Node, usize)>,
    nodes: usize,
}

impl<'a> Reader<'a> {
    fn next(&mut self) -> Result<(Event<'a>, Span), YamlError> {
        loop {
            match self.parser.next_event() {
                Some(Ok((Event::Comment(..), _))) => {}
                Some(Ok(next)) => return Ok(next),
                Some(Err(error)) => {
                    return Err(YamlError {
                        at: position(error.marker()),
                        message: error.info().to_owned(),
                    });
                }
                None => return Ok((Event::StreamEnd, Span::default())),
            }
        }
    }

    fn node(&mut self, event: Event<'a>, span: Span, depth: usize) -> Result<Node, YamlError> {
        let at = position(&span.start);
        self.count(1, at)?;
        if depth > MAX_DEPTH {
            return Err(refused(
                at,
                format!("nested deeper than {MAX_DEPTH} levels"),
            ));
        }
        let before = self.nodes;
        let (anchor, kind) = match event {
            Event::Alias(id) => return self.alias(id, at),
            Event::Scalar(text, style, anchor, tag) => {
                let plain = style == ScalarStyle::Plain;
                let tag = tag.as_ref().and_then(|tag| tag.core_suffix());
                let scalar = resolve(&text, plain, tag).map_err(|message| refused(at, message))?;
                (anchor, NodeKind::Scalar(scalar))
            }
            Event::SequenceStart(_, anchor, _) => (anchor, self.sequence(depth)?),
            Event::MappingStart(_, anchor, _) => (anchor, self.mapping(depth)?),
            other => return Err(refused(at, format!("unexpected {other:?}"))),
        };
        let node = Node { at, kind };
        if anchor != 0 {
            self.anchors
                .insert(anchor, (node.clone(), self.nodes - before + 1));
        }
        Ok(node)
    }

    fn alias(&mut self, id: usize, at: Position) -> Result<Node, YamlError> {
        let Some((node, size)) = self.anchors.get(&id) else {
            return Err(refused(at, "an alias to the node that holds it".to_owned()));
        };
        let (node, size) = (node.clone(), *size);
        self.count(size, at)?;
        Ok(node)
    }

    fn sequence(&mut self, depth: usize) -> Result<NodeKind, YamlError> {
        let mut items = Vec::new();
        loop {
            match self.next()? {
                (Event::SequenceEnd, _) => return Ok(NodeKind::Sequence(items)),
                (event, span) => items.push(self.node(event, span, depth + 1)?),
            }
        }
    }

    fn mapping(&mut self, depth: usize) -> Result<NodeKind, YamlError> {
        let mut entries: Vec<Entry> = Vec::new();
        let mut seen: HashMap<String, Position> = HashMap::new();
        loop {
            let (event, span) = self.next()?;
            if matches!(event, Event::MappingEnd) {
                return Ok(NodeKind::Mapping(entries));
            }
            let plain = matches!(event, Event::Scalar(_, ScalarStyle::Plain, ..));
            let node = self.node(event, span, depth + 1)?;
            let key = key_text(&node)?;
            let merge = plain && key == "<<";
            if let Some(first) = seen.insert(key.clone(), node.at)
                && !merge
            {
                let message = format!(
                    "duplicate key {key:?}: first on line {}, again on line {}; keep one",
                    first.line, node.at.line
                );
                return Err(refused(node.at, message));
            }
            let (event, span) = self.next()?;
            let value = self.node(event, span, depth + 1)?;
            entries.push(Entry {
                key,
                at: node.at,
                merge,
                value,
            });
        }
    }

    fn count(&mut self, nodes: usize, at: Position) -> Result<(), YamlError> {
        self.nodes += nodes;
        if self.nodes > MAX_NODES {
            return Err(refused(
                at,
                format!("aliases expand to over {MAX_NODES} nodes"),
            ));
        }
        Ok(())
    }
}

/// Keys are strings in JSON; kubectl prints a scalar key as its text.
fn key_text(node: &Node) -> Result<String, YamlError> {
    match &node.kind {
        NodeKind::Scalar(scalar) => Ok(scalar.as_key()),
        NodeKind::Sequence(_) | NodeKind::Mapping(_) => {
            Err(refused(node.at, "a key must be a scalar".to_owned()))
        }
    }
}

fn refused(at: Position, message: String) -> YamlError {
    YamlError { at, message }
}

fn position(marker: &Marker) -> Position {
    Position {
        line: marker.line().max(1),
        column: marker.col() + 1,
    }
}
