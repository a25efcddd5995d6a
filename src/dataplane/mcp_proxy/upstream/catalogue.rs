//! An upstream's lists, read to the end, filtered and renamed.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use agentkube_mcp::list::{self, CacheHint};
use agentkube_mcp::method::ListKind;
use agentkube_mcp::param::{self, ParamHeader};
use agentkube_mcp::{
    Era, Kind, MAX_DEPTH, Message, UriTemplate, bridge, capability, error, json, pin, probe,
};
use agentkube_plan::{ToolDigest, UpstreamReport};
use arc_swap::ArcSwapOption;
use tokio::time::Instant;
use tracing::warn;

use super::clock::Clock;
use super::{Lane, Upstream, UpstreamError};
use crate::apart::{Left, apart};
use crate::mcp_proxy::party::Party;

/// How long a page of a list or a greeting may take: a silent upstream must not hold
/// up the lists of the others.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);

/// Pages of one list; at the usual 50 items a page, the item bound is met first.
const MAX_PAGES: usize = 1_000;

/// Items of one list: a client's model has no use for more.
const MAX_ITEMS: usize = 10_000;

/// One list of an upstream as clients may see it.
#[derive(Debug, Default)]
pub(in crate::mcp_proxy) struct Catalogue {
    /// In the order of their exposed names.
    pub(in crate::mcp_proxy) entries: Vec<Entry>,
    /// The first page without its items and its cursor, for members of the
    /// result that are the upstream's own.
    pub(in crate::mcp_proxy) frame: Option<String>,
    /// How long it may be kept.
    pub(in crate::mcp_proxy) hint: Option<CacheHint>,
    /// False when the upstream does not have such a list.
    pub(in crate::mcp_proxy) offered: bool,
    by_name: HashMap<String, usize>,
    unmatched: Vec<String>,
    asked: Option<Instant>,
}

/// One item of a list.
#[derive(Debug)]
pub(in crate::mcp_proxy) struct Entry {
    /// What clients call it.
    pub(in crate::mcp_proxy) exposed: String,
    /// What the upstream calls it.
    pub(in crate::mcp_proxy) name: String,
    /// The item under its exposed name.
    pub(in crate::mcp_proxy) text: String,
    /// The same for legacy clients, where they need it otherwise.
    pub(in crate::mcp_proxy) legacy: Option<String>,
    /// Arguments that are mirrored in headers.
    pub(in crate::mcp_proxy) params: Vec<ParamHeader>,
    /// Which URIs come from it, for a template.
    pub(in crate::mcp_proxy) template: Option<UriTemplate>,
    /// A tool that may be called twice without harm, by its own word.
    pub(in crate::mcp_proxy) repeatable: bool,
    /// A tool that runs as a task of 2025-11-25 and in no other way, by its own word.
    pub(in crate::mcp_proxy) only_as_task: bool,
    /// Of a tool's definition, where pins are compared with it.
    pub(super) digest: Option<ToolDigest>,
}

/// Where the lists of one kind of client are kept.
#[derive(Debug, Default)]
pub(super) struct Shelf([Slot; 4]);

/// Where one list is kept.
#[derive(Debug, Default)]
struct Slot {
    current: ArcSwapOption<Catalogue>,
    /// Held while the list is read; when and how that failed the last time.
    reading: tokio::sync::Mutex<Option<(Instant, UpstreamError)>>,
}

impl Catalogue {
    fn differs(&self, other: &Self) -> bool {
        let texts = |list: &Self| {
            list.entries
                .iter()
                .map(|entry| entry.text.clone())
                .collect()
        };
        let (ours, theirs): (Vec<String>, Vec<String>) = (texts(self), texts(other));
        ours != theirs
    }

    /// How long ago it was asked for.
    pub(super) fn age(&self, now: Instant) -> Option<Duration> {
        Some(now.saturating_duration_since(self.asked?))
    }

    /// The entry that clients call so.
    pub(in crate::mcp_proxy) fn entry(&self, exposed: &str) -> Option<&Entry> {
        self.entries.get(*self.by_name.get(exposed)?)
    }
}

impl Shelf {
    /// The list as it was last read.
    pub(super) fn known(&self, kind: ListKind) -> Option<Arc<Catalogue>> {
        self.slot(kind).current.load_full()
    }

    /// As if the list was never read.
    pub(super) fn forget(&self, kind: ListKind) {
        self.slot(kind).current.store(None);
    }

    fn slot(&self, kind: ListKind) -> &Slot {
        let [prompts, resources, templates, tools] = &self.0;
        match kind {
            ListKind::Prompts => prompts,
            ListKind::Resources => resources,
            ListKind::Templates => templates,
            ListKind::Tools => tools,
        }
    }
}

impl Upstream {
    /// The list as it was last read.
    pub(in crate::mcp_proxy) fn known(
        &self,
        kind: ListKind,
        party: &Party,
    ) -> Option<Arc<Catalogue>> {
        self.shelf(party).known(kind)
    }

    /// The list as it is, or as it was when asked for at `since` or later.
    /// Callers that come together share one reading.
    pub(in crate::mcp_proxy) async fn catalogue(
        self: &Arc<Self>,
        kind: ListKind,
        party: &Party,
        since: Instant,
    ) -> Result<Arc<Catalogue>, UpstreamError> {
        let shelf = self.shelf(party);
        let is_shared = Arc::ptr_eq(&shelf, &self.shelf);
        let party = match is_shared {
            true => Party::Modern,
            false => party.clone(),
        };
        let upstream = Arc::clone(self);
        let reading = Box::pin(async move { upstream.read_at(&shelf, kind, &party, since).await });
        let outcome = apart(Left::Ends(PATIENCE), reading).await;
        outcome.unwrap_or(Err(UpstreamError::Cut))
    }

    async fn read_at(
        self: &Arc<Self>,
        shelf: &Arc<Shelf>,
        kind: ListKind,
        party: &Party,
        since: Instant,
    ) -> Result<Arc<Catalogue>, UpstreamError> {
        let is_shared = Arc::ptr_eq(shelf, &self.shelf);
        let slot = shelf.slot(kind);
        let mut failed = slot.reading.lock().await;
        if let Some(current) = slot.current.load_full()
            && current.asked.is_some_and(|asked| asked >= since)
        {
            return Ok(current);
        }
        if let Some((asked, error)) = failed.as_ref()
            && *asked >= since
        {
            return Err(error.clone());
        }
        let asked = Instant::now();
        let read = self.read_list(kind, party).await;
        if kind == ListKind::Tools && is_shared {
            self.status
                .note_tools(&self.name, read.as_ref().map(|_| ()));
        }
        match read {
            Ok(mut catalogue) => {
                catalogue.asked = Some(asked);
                let catalogue = Arc::new(catalogue);
                let before = slot.current.swap(Some(Arc::clone(&catalogue)));
                let changed = before.is_some_and(|before| before.differs(&catalogue));
                if kind == ListKind::Tools && self.is_pinned() {
                    self.note_pins();
                }
                if kind == ListKind::Tools {
                    if is_shared && changed {
                        self.tell_tools_differ();
                    }
                    self.note_read();
                }
                Ok(catalogue)
            }
            Err(error) => {
                *failed = Some((asked, error.clone()));
                if kind == ListKind::Tools {
                    self.note_missed();
                }
                Err(error)
            }
        }
    }

    async fn read_list(
        self: &Arc<Self>,
        kind: ListKind,
        party: &Party,
    ) -> Result<Catalogue, UpstreamError> {
        let whole = Clock::start(&self.config.timeouts);
        // What a client's own session offers only the replica knows that opened it.
        if party.session().is_none() && !offers(&self.greet(party).await?, kind) {
            return Ok(Catalogue::default());
        }
        let mut reading = Reading::new(self, kind);
        let mut cursor: Option<String> = None;
        for _ in 0..MAX_PAGES {
            let clock = whole.part(PATIENCE);
            let page = self
                .question(party, kind.method(), &clock, |lane| {
                    page_params(lane, &self.client_info, cursor.as_deref())
                })
                .await;
            let (lane, body) = match page {
                Err(UpstreamError::UnknownMethod) => return Ok(Catalogue::default()),
                other => other?,
            };
            cursor = match reading.page(&lane, &body)? {
                Some(next) => Some(next),
                None => return Ok(reading.finish()),
            };
        }
        Err(UpstreamError::Endless(kind.method(), "too many pages"))
    }

    /// The row of `/digest`. `room`: bytes for tools that are not pinned.
    pub(in crate::mcp_proxy) fn report(&self, room: usize) -> UpstreamReport {
        let (unpinned, unpinned_cut) = self.unpinned(room);
        let tools = self.known(ListKind::Tools, &Party::Modern);
        let credential = self.is_there().err();
        UpstreamReport {
            models: Vec::new(),
            name: self.name.clone(),
            era: self.eras().map(str::to_owned),
            credentials: credential.is_none(),
            reachable: match self.absent {
                Some(_) => Some(false),
                None => self.status.reachable(),
            },
            tools: tools
                .as_ref()
                .map(|list| u32::try_from(self.admitted(list)).unwrap_or(u32::MAX)),
            unmatched_patterns: tools.map(|list| list.unmatched.clone()).unwrap_or_default(),
            unpinned,
            unpinned_cut,
            message: credential
                .map(|error| error.to_string())
                .or_else(|| self.status.message()),
        }
    }
}

/// True unless the upstream said that it has no such list.
fn offers(lane: &Lane, kind: ListKind) -> bool {
    lane.offer()
        .is_none_or(|offer| capability::offers(&offer.capabilities, kind.capability()))
}

fn page_params(lane: &Lane, client_info: &str, cursor: Option<&str>) -> String {
    let cursor = cursor.map(|cursor| format!("\"cursor\":{}", json::quote(cursor)));
    match (lane.era(), cursor) {
        (Era::Legacy, cursor) => format!("{{{}}}", cursor.unwrap_or_default()),
        (Era::Modern, None) => format!("{{\"_meta\":{}}}", probe::modern_meta(client_info)),
        (Era::Modern, Some(cursor)) => {
            format!("{{{cursor},\"_meta\":{}}}", probe::modern_meta(client_info))
        }
    }
}

/// A list while its pages come in.
struct Reading<'u> {
    upstream: &'u Upstream,
    kind: ListKind,
    catalogue: Catalogue,
    names: Vec<String>,
    cursors: HashSet<String>,
    quarantined: usize,
}

impl<'u> Reading<'u> {
    fn new(upstream: &'u Upstream, kind: ListKind) -> Self {
        Self {
            upstream,
            kind,
            catalogue: Catalogue::default(),
            names: Vec::new(),
            cursors: HashSet::new(),
            quarantined: 0,
        }
    }

    /// Takes a page; returns where the next one begins.
    fn page(&mut self, lane: &Lane, body: &[u8]) -> Result<Option<String>, UpstreamError> {
        let garbled = |error: agentkube_mcp::Malformed| UpstreamError::Garbled(error.to_string());
        let body = String::from_utf8_lossy(body);
        let body = self.upstream.redact(body);
        let message = Message::decode(body.as_bytes(), MAX_DEPTH).map_err(garbled)?;
        let method = self.kind.method();
        let result = match message.kind() {
            Kind::Result { result, .. } => *result,
            Kind::Error { error: text, .. } => match error::code_of(text) {
                Some(error::METHOD_NOT_FOUND) => return Ok(None),
                code => {
                    return Err(UpstreamError::Rpc {
                        method,
                        code: code.unwrap_or_default(),
                    });
                }
            },
            _ => return Err(UpstreamError::Garbled("it is no response".to_owned())),
        };
        let page = list::read(self.kind, result)?;
        self.quarantined += page.quarantined;
        for item in &page.items {
            self.item(lane, item);
        }
        if self.names.len() > MAX_ITEMS {
            return Err(UpstreamError::Endless(method, "too many items"));
        }
        let hint = self.catalogue.hint.unwrap_or(CacheHint::FOREVER);
        self.catalogue.hint = Some(hint.and(page.cache));
        if !self.catalogue.offered {
            self.catalogue.offered = true;
            self.catalogue.frame = frame(self.kind, result);
        }
        match page.next_cursor {
            Some(next) if !self.cursors.insert(next.clone()) => {
                Err(UpstreamError::Endless(method, "its cursor repeats"))
            }
            next => Ok(next),
        }
    }

    fn item(&mut self, lane: &Lane, item: &list::Item<'_>) {
        self.names.push(item.name.clone().into_owned());
        let is_tool = self.kind == ListKind::Tools;
        let Some(exposed) = self.upstream.surface.expose(self.kind, &item.name) else {
            return;
        };
        let params = match param::scan(item.text) {
            _ if !is_tool => Vec::new(),
            Ok(params) => params,
            // 2026-07-28: clients must not use a tool whose annotation is
            // invalid. To a legacy server it means nothing.
            Err(_) if lane.era() == Era::Legacy => Vec::new(),
            Err(_) => {
                self.quarantined += 1;
                return;
            }
        };
        let text = if exposed == item.name {
            item.text.to_owned()
        } else {
            list::renamed(self.kind, item.text, &exposed)
        };
        let is_pinned = is_tool && self.upstream.is_pinned();
        let digest = || pin::canonical(item.text).map(|text| ToolDigest::of(&text));
        self.catalogue.entries.push(Entry {
            digest: is_pinned.then(digest).flatten(),
            exposed: exposed.into_owned(),
            name: item.name.clone().into_owned(),
            repeatable: is_tool && says_repeatable(item.text),
            only_as_task: is_tool && says_only_as_task(item.text),
            template: (self.kind == ListKind::Templates).then(|| UriTemplate::parse(&item.name)),
            legacy: is_tool.then(|| bridge::legacy_tool(&text)).flatten(),
            text,
            params,
        });
    }

    fn finish(mut self) -> Catalogue {
        let upstream = &self.upstream.name;
        if self.quarantined > 0 {
            warn!(%upstream, list = self.kind.method(), left_out = self.quarantined, "unusable items");
        }
        let catalogue = &mut self.catalogue;
        // Stable: of two items with one name the upstream's first one stays.
        catalogue.entries.sort_by(|a, b| a.exposed.cmp(&b.exposed));
        catalogue
            .entries
            .dedup_by(|later, first| later.exposed == first.exposed);
        let names = catalogue.entries.iter().enumerate();
        catalogue.by_name = names
            .map(|(at, entry)| (entry.exposed.clone(), at))
            .collect();
        if self.kind == ListKind::Tools {
            catalogue.unmatched = self.upstream.surface.unmatched(&self.names);
        }
        self.catalogue
    }
}

/// The members of a list's result that are neither items nor cursor.
fn frame(kind: ListKind, result: &str) -> Option<String> {
    let object = json::Object::parse(result)?;
    Some(
        object
            .edit()
            .set(kind.member(), "[]")
            .remove("nextCursor")
            .finish(),
    )
}

fn says_only_as_task(tool: &str) -> bool {
    let execution = json::Object::parse(tool).and_then(|tool| tool.object("execution"));
    execution.is_some_and(|it| it.text("taskSupport").as_deref() == Some("required"))
}

fn says_repeatable(tool: &str) -> bool {
    let annotations = json::Object::parse(tool).and_then(|tool| tool.object("annotations"));
    annotations.is_some_and(|hints| {
        ["idempotentHint", "readOnlyHint"]
            .iter()
            .any(|hint| hints.value(hint) == Some("true"))
    })
}
