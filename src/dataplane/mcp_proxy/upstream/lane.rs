//! How an upstream is spoken to: its era, found out once, and its session.
//!
//! The era belongs to the server. It is asked with `server/discover`, kept, and
//! asked again when the upstream comes back from a failure, since it may be
//! another version by then. An upstream with both eras is spoken to in the
//! client's.

use std::sync::Arc;

use http::{HeaderValue, StatusCode};

use agentkube_mcp::probe::{self, Offer, Verdict};
use agentkube_mcp::session::{Fingerprint, UpstreamToken};
use agentkube_mcp::{Era, Id, Kind, MAX_DEPTH, Message, Version, capability, message};

use super::clock::Clock;
use super::exchange::{Answer, Answered, Outgoing};
use super::{Upstream, UpstreamError, catalogue};
use crate::apart::{Left, apart};
use crate::mcp_proxy::party::Party;

/// The way a message goes to an upstream.
#[derive(Clone, Debug)]
pub(in crate::mcp_proxy) enum Lane {
    /// `initialize`: nothing is agreed yet.
    Greeting,
    /// A stateless request.
    Modern(Arc<Offer>),
    /// A request in a session.
    Legacy(Arc<Session>),
    /// `server/discover`: whether it is modern is what we ask.
    Probe,
}

/// A session with a legacy upstream: the proxy's own one, or one of a client.
#[derive(Debug)]
pub(in crate::mcp_proxy) struct Session {
    id: Option<HeaderValue>,
    offer: Offer,
}

/// What is known of an upstream's eras.
#[derive(Clone, Debug)]
pub(super) struct Connected {
    pub(super) modern: Option<Arc<Offer>>,
    pub(super) legacy: Legacy,
}

/// What is known of an upstream's legacy era.
#[derive(Clone, Debug)]
pub(super) enum Legacy {
    /// It was not greeted, or forgot the session.
    Closed,
    /// A session is open.
    Open(Arc<Session>),
    /// It does not speak it, or cannot keep a session.
    Never,
}

impl Session {
    /// The upstream gave the session an id; without one it keeps no state.
    pub(super) fn has_id(&self) -> bool {
        self.id.is_some()
    }

    pub(super) fn id(&self) -> Option<&HeaderValue> {
        self.id.as_ref()
    }

    pub(super) fn offer(&self) -> &Offer {
        &self.offer
    }

    /// A session that another replica may have opened. What the upstream offered
    /// there is not known here.
    pub(super) fn sealed(token: &UpstreamToken) -> Self {
        let id = HeaderValue::try_from(&token.id).ok();
        Self {
            id: id.filter(|id| !id.is_empty()),
            offer: Offer {
                version: token.version,
                capabilities: "{}".to_owned(),
                instructions: None,
            },
        }
    }

    /// What it takes to speak in it.
    pub(in crate::mcp_proxy) fn token(&self, upstream: Fingerprint) -> UpstreamToken {
        let id = self.id.as_ref().and_then(|id| id.to_str().ok());
        UpstreamToken {
            upstream,
            version: self.offer.version,
            id: id.unwrap_or_default().to_owned(),
        }
    }
}

impl Lane {
    /// A lane in a session of this id, of which nothing else is known.
    pub(super) fn in_session(id: &str) -> Self {
        Self::Legacy(Arc::new(Session::sealed(&UpstreamToken {
            upstream: Fingerprint::default(),
            version: Version::LATEST_LEGACY,
            id: id.to_owned(),
        })))
    }

    /// The era that is spoken on it.
    pub(in crate::mcp_proxy) fn era(&self) -> Era {
        match self {
            Self::Modern(_) | Self::Probe => Era::Modern,
            Self::Legacy(_) | Self::Greeting => Era::Legacy,
        }
    }

    /// True for a session that clients share since the upstream told none apart.
    pub(in crate::mcp_proxy) fn is_shared(&self) -> bool {
        matches!(self, Self::Legacy(session) if !session.has_id())
    }

    /// True when the upstream said that it logs to its clients.
    pub(in crate::mcp_proxy) fn logs(&self) -> bool {
        let offer = self.offer();
        offer.is_some_and(|offer| capability::offers(&offer.capabilities, "logging"))
    }

    /// What the upstream said of itself.
    pub(in crate::mcp_proxy) fn offer(&self) -> Option<&Offer> {
        match self {
            Self::Modern(offer) => Some(offer),
            Self::Legacy(session) => Some(session.offer()),
            Self::Greeting | Self::Probe => None,
        }
    }
}

impl Connected {
    /// The lane for a client of this era; `None` when something must be opened
    /// first.
    fn choose(&self, client: Era) -> Option<Lane> {
        match (client, &self.modern, &self.legacy) {
            (Era::Modern, Some(offer), _) | (Era::Legacy, Some(offer), Legacy::Never) => {
                Some(Lane::Modern(Arc::clone(offer)))
            }
            (_, _, Legacy::Open(session)) => Some(Lane::Legacy(Arc::clone(session))),
            _ => None,
        }
    }
}

impl Upstream {
    /// The eras that it is known to speak.
    pub(super) fn eras(&self) -> Option<&'static str> {
        let connected = self.connected.load();
        let connected = connected.as_ref()?;
        Some(match (&connected.modern, &connected.legacy) {
            (Some(_), Legacy::Open(_)) => "dual",
            (Some(_), Legacy::Closed | Legacy::Never) => "modern",
            (None, _) => "legacy",
        })
    }

    /// The lane for this party, opened when it is not. A client in a session has
    /// its own one where the upstream keeps sessions.
    pub(super) async fn lane(
        self: &Arc<Self>,
        party: &Party,
        clock: &Clock,
    ) -> Result<Lane, UpstreamError> {
        match (self.shared_lane(party.era(), clock).await?, party) {
            (Lane::Legacy(session), Party::Session(live)) if session.has_id() => {
                self.own_lane(live, clock).await
            }
            (lane, _) => Ok(lane),
        }
    }

    /// The lane for this party, when nothing has to be asked for it.
    pub(super) fn open_lane(&self, party: &Party) -> Option<Lane> {
        let connected = self.connected.load();
        let lane = connected.as_ref()?.choose(party.era())?;
        match (&lane, party) {
            (Lane::Legacy(session), Party::Session(live)) if session.has_id() => {
                live.linked(self.fingerprint)?.lane()
            }
            _ => Some(lane),
        }
    }

    /// True when the upstream is spoken to in the modern era for this party.
    pub(in crate::mcp_proxy) async fn is_modern_for(self: &Arc<Self>, party: &Party) -> bool {
        let lane = match self.chosen(party.era()) {
            Some(lane) => Some(lane),
            None => self.greet(party).await.ok(),
        };
        matches!(lane, Some(Lane::Modern(_)))
    }

    /// True when a legacy session lives where it was opened: in a child on stdio, so
    /// it is taken to be until the program says that it is modern, or on a stream of
    /// the legacy transport.
    pub(in crate::mcp_proxy) fn binds_sessions(&self) -> bool {
        let lane = self.chosen(Era::Legacy);
        let on_stream = matches!(&lane, Some(lane) if self.wire.is_stream(lane));
        on_stream || (self.is_program() && !matches!(lane, Some(Lane::Modern(_))))
    }

    /// True while this is the session that is shared.
    pub(super) fn is_open(&self, session: &Arc<Session>) -> bool {
        let connected = self.connected.load();
        connected.as_ref().is_some_and(
            |it| matches!(&it.legacy, Legacy::Open(open) if Arc::ptr_eq(open, session)),
        )
    }

    /// True when this holds for the capabilities that the upstream declared.
    pub(super) fn says_of_itself(&self, holds: impl Fn(&str) -> bool) -> bool {
        let connected = self.connected.load();
        let Some(connected) = connected.as_ref() else {
            return false;
        };
        let legacy = match &connected.legacy {
            Legacy::Open(session) => Some(session.offer()),
            Legacy::Closed | Legacy::Never => None,
        };
        let mut offers = connected.modern.as_deref().into_iter().chain(legacy);
        offers.any(|offer| holds(&offer.capabilities))
    }

    /// True when the upstream gives sessions ids.
    pub(super) fn keeps_sessions(&self) -> bool {
        let connected = self.connected.load();
        connected.as_ref().is_some_and(
            |connected| matches!(&connected.legacy, Legacy::Open(session) if session.has_id()),
        )
    }

    /// The lane for clients of this era, when it is open.
    fn chosen(&self, client: Era) -> Option<Lane> {
        let connected = self.connected.load();
        connected.as_ref().and_then(|it| it.choose(client))
    }

    async fn shared_lane(
        self: &Arc<Self>,
        client: Era,
        clock: &Clock,
    ) -> Result<Lane, UpstreamError> {
        if let Some(lane) = self.chosen(client) {
            return Ok(lane);
        }
        let (upstream, clock) = (Arc::clone(self), clock.clone());
        let opening = Box::pin(async move { upstream.open_shared(client, &clock).await });
        let outcome = apart(Left::Ends(catalogue::PATIENCE), opening).await;
        outcome.unwrap_or(Err(UpstreamError::Cut))
    }

    async fn open_shared(&self, client: Era, clock: &Clock) -> Result<Lane, UpstreamError> {
        // One opens, the others wait for it and use what it found.
        let _opening = clock.wait(self.opening.lock()).await?;
        if let Some(lane) = self.chosen(client) {
            return Ok(lane);
        }
        let connected = match self.connected.load_full() {
            Some(connected) => Connected::clone(&connected),
            None => Connected {
                modern: self.probe(clock).await?,
                legacy: Legacy::Closed,
            },
        };
        let connected = self.open_legacy(client, connected, clock).await?;
        let lane = connected.choose(client);
        self.connected.store(Some(Arc::new(connected)));
        self.tell_opened();
        lane.ok_or(UpstreamError::SessionLost)
    }

    /// Asks for the era; `None` means legacy.
    async fn probe(&self, clock: &Clock) -> Result<Option<Arc<Offer>>, UpstreamError> {
        if let Some(streams) = &self.wire.streams {
            if streams.is_only() {
                return Ok(None);
            }
            streams.speak(false);
        }
        let (mut status, mut body) = self.discover(clock).await?;
        if is_elsewhere(status, &body) && self.wire.endpoint.switch() {
            let (other_status, other_body) = self.discover(clock).await?;
            if is_elsewhere(other_status, &other_body) {
                self.wire.endpoint.switch();
            } else {
                (status, body) = (other_status, other_body);
            }
        }
        let answer = Message::decode(&body, MAX_DEPTH).ok();
        match probe::verdict(status, answer.as_ref()) {
            Verdict::Modern(offer) => Ok(Some(Arc::new(offer))),
            Verdict::Legacy => Ok(None),
            Verdict::Refused(status) => Err(UpstreamError::Refused(status)),
            Verdict::Unavailable(status) if self.is_program() => {
                Err(UpstreamError::of_shim(status, &body))
            }
            Verdict::Unavailable(status) => Err(UpstreamError::Status(status)),
        }
    }

    async fn discover(&self, clock: &Clock) -> Result<(StatusCode, Vec<u8>), UpstreamError> {
        let id = self.next_id();
        let body = probe::discover(&Id::from(id), &self.client_info);
        let outgoing = Outgoing::plain("server/discover", body);
        let answered = self.wire.post(&Lane::Probe, &outgoing, clock).await?;
        let status = answered.status;
        let body = match answered.answer {
            Answer::Accepted => Vec::new(),
            Answer::Message(bytes) => bytes.to_vec(),
            Answer::Events(mut events) => events.next().await?.unwrap_or_default(),
        };
        Ok((status, body))
    }

    /// Opens a session where the client's era asks for one.
    async fn open_legacy(
        &self,
        client: Era,
        mut connected: Connected,
        clock: &Clock,
    ) -> Result<Connected, UpstreamError> {
        if connected.choose(client).is_some() {
            return Ok(connected);
        }
        let greeted = self
            .initialize(clock, Version::LATEST_LEGACY, probe::NO_CAPABILITIES)
            .await;
        match (greeted, &connected.modern) {
            (Ok(session), _) => {
                self.hear_all_logs(&session, clock).await;
                connected.legacy = Legacy::Open(session);
            }
            (Err(error), None) => {
                // Its era may have changed: ask anew the next time.
                self.connected.store(None);
                return Err(error);
            }
            (Err(error), Some(_)) if error.is_outage() => return Err(error),
            // Modern only: a legacy client is bridged.
            (Err(_), Some(_)) => connected.legacy = Legacy::Never,
        }
        Ok(connected)
    }

    /// There are servers that log nothing until they are told a level. In the session
    /// that clients share that is the lowest: each request says what it wants to hear.
    async fn hear_all_logs(&self, session: &Arc<Session>, clock: &Clock) {
        let lane = Lane::Legacy(Arc::clone(session));
        // Without an id nothing is kept; and where logs of all calls come one way,
        // nobody may hear them.
        if lane.logs() && session.has_id() && !self.mixes(&lane) {
            self.say(&lane, ("logging/setLevel", "level", "debug"), clock)
                .await;
        }
    }

    /// Opens a session in which we can do so much.
    pub(super) async fn initialize(
        &self,
        clock: &Clock,
        version: Version,
        capabilities: &str,
    ) -> Result<Arc<Session>, UpstreamError> {
        let id = Id::from(self.next_id());
        let body = probe::initialize(&id, version, &self.client_info, capabilities);
        let outgoing = Outgoing::plain("initialize", body);
        let Answered {
            answer,
            status,
            session,
        } = self.hello(&outgoing, clock).await?;
        // Without a child there is nobody to say what it speaks.
        if let (Answer::Message(body), true, StatusCode::SERVICE_UNAVAILABLE) =
            (&answer, self.is_program(), status)
        {
            return Err(UpstreamError::of_shim(status, body));
        }
        let id_of_session = session.clone();
        let opened = self.opened(&id, answer, session, clock).await;
        // A session that is a stream would stay open until it is idle.
        if let (Err(_), Some(streams), Some(id)) = (&opened, &self.wire.streams, id_of_session) {
            streams.end(&id);
        }
        opened
    }

    /// Posts a greeting; where no streamable HTTP is spoken, over the legacy
    /// transport (2025-11-25, Transports, "Backwards Compatibility").
    async fn hello(&self, outgoing: &Outgoing, clock: &Clock) -> Result<Answered, UpstreamError> {
        let greeted = self.wire.post(&Lane::Greeting, outgoing, clock).await;
        let (Err(error), Some(streams)) = (&greeted, &self.wire.streams) else {
            return greeted;
        };
        if streams.is_only() || !is_another_transport(error) {
            return greeted;
        }
        if streams.is_spoken() {
            streams.speak(false);
            return self.wire.post(&Lane::Greeting, outgoing, clock).await;
        }
        match streams.post(None, &outgoing.body, clock).await {
            Ok(answered) => {
                streams.speak(true);
                Ok(answered)
            }
            // It has no such stream either: what it said first says more.
            Err(UpstreamError::NoStream | UpstreamError::Status(_)) => greeted,
            Err(error) => Err(error),
        }
    }

    async fn opened(
        &self,
        id: &Id<'_>,
        answer: Answer,
        session: Option<HeaderValue>,
        clock: &Clock,
    ) -> Result<Arc<Session>, UpstreamError> {
        let answer = self.settle(&Lane::Greeting, id, answer).await?;
        let message = Message::decode(&answer, MAX_DEPTH)
            .map_err(|error| UpstreamError::Garbled(error.to_string()))?;
        let offer = match message.kind() {
            Kind::Result { result, .. } => probe::initialized(result),
            _ => None,
        };
        let offer = offer.ok_or(UpstreamError::UnknownVersion)?;
        let session = Arc::new(Session { id: session, offer });
        let lane = Lane::Legacy(Arc::clone(&session));
        let ready = message::notification("notifications/initialized", None);
        self.wire
            .post(
                &lane,
                &Outgoing::plain("notifications/initialized", ready),
                clock,
            )
            .await?;
        Ok(session)
    }

    /// The upstream forgot this session, unless another call noticed before.
    pub(super) fn forget_session(&self, party: &Party, lane: &Lane, for_good: bool) {
        let Lane::Legacy(session) = lane else { return };
        if let Party::Session(live) = party {
            live.link(self.fingerprint).forget(session);
        }
        let Some(connected) = self.connected.load_full() else {
            return;
        };
        if let Legacy::Open(open) = &connected.legacy
            && Arc::ptr_eq(open, session)
        {
            let bridged = for_good && connected.modern.is_some();
            let legacy = if bridged {
                Legacy::Never
            } else {
                Legacy::Closed
            };
            let modern = connected.modern.clone();
            self.connected
                .store(Some(Arc::new(Connected { modern, legacy })));
        }
    }
}

/// True for what a server of one transport says to a greeting over the other.
fn is_another_transport(error: &UpstreamError) -> bool {
    let statuses = [
        StatusCode::BAD_REQUEST,
        StatusCode::NOT_FOUND,
        StatusCode::METHOD_NOT_ALLOWED,
    ];
    match error {
        UpstreamError::NoStream => true,
        UpstreamError::Status(status) => statuses.contains(status),
        _ => false,
    }
}

/// True for the answer of a server that has its endpoint at another path.
fn is_elsewhere(status: StatusCode, body: &[u8]) -> bool {
    matches!(
        status,
        StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED
    ) && Message::decode(body, MAX_DEPTH).is_err()
}
