//! One request to one upstream and its answer back.

use std::borrow::Cow;
use std::time::Duration;

use tokio::time::timeout;

use agentkube_mcp::bridge::{self, Rewrite, Speaker};
use agentkube_mcp::method::Method;
use agentkube_mcp::{Era, Id, Message, header, json, meta, param};

use super::calls;
use super::dispatch::{Caller, upstream_failure};
use super::fulfil::{self, Call};
use super::locate::Found;
use super::metrics::{Meter, Outcome};
use super::relay::{Asker, Followed, Relay, Route, Step};
use super::reply::Reply;
use super::sessions::UnderWay;
use super::tasks;
use super::telling::{Teller, Word};
use super::upstream::{Answer, Asked, Follow, Hop, Lane, Outgoing, UpstreamError};

/// How long the first event of a stream is waited for. An answer that comes as
/// the only event can then be plain JSON under the status that its code has; a
/// longer call must show its head and its progress.
const FIRST_EVENT: Duration = Duration::from_millis(250);

/// The level of log messages for a session that chose none here.
pub(super) const LEVEL: &str = "info";

/// A request whose upstream is known.
pub(super) struct Errand<'a, 'm> {
    pub(super) caller: &'a Caller<'a>,
    pub(super) message: &'a Message<'m>,
    pub(super) id: &'a Id<'m>,
    pub(super) method: Method,
    pub(super) found: Found,
    pub(super) call: Option<calls::Call>,
    /// What binds the states of this call.
    pub(super) scope: Option<String>,
    /// The upstream's own state that it carries, as JSON text.
    pub(super) state: Option<String>,
}

/// Sends the request and answers with what comes back, asking the client for
/// the input that a modern upstream needs.
pub(super) async fn serve(mut errand: Errand<'_, '_>) -> Reply {
    let era = errand.caller.era();
    let may_ask = matches!(
        errand.method,
        Method::PromptGet | Method::ResourceRead | Method::ToolCall
    );
    let (upstream, party) = (errand.found.upstream.clone(), errand.caller.party);
    let may_ask = may_ask && party.session().is_some() && upstream.is_modern_for(party).await;
    let call = may_ask.then(|| Call::of(errand.caller.state, &mut errand));
    let Some(call) = call.flatten() else {
        return fulfil::refused(forward(errand).await, era);
    };
    let first = forward(errand).await;
    call.serve(first)
}

/// Sends the request and answers with what comes back.
pub(super) async fn forward(errand: Errand<'_, '_>) -> Reply {
    let upstream = errand.found.upstream.clone();
    let Caller { party, state, .. } = *errand.caller;
    let meter = state.upstream_metrics.begin(&state.labels, &upstream.name);
    let session = party.session();
    let under_way = session.map(|live| live.begin(errand.id.as_json(), upstream.fingerprint));
    let asked = upstream.ask(party, errand.id, errand.found.repeatable, |lane, hop| {
        errand.outgoing(lane, hop)
    });
    let asked = match &under_way {
        None => asked.await,
        Some(under_way) => tokio::select! {
            asked = asked => asked,
            () = under_way.cancelled.cancelled() => {
                errand.caller.tally.abort();
                return Reply::Cancelled;
            }
        },
    };
    let asked = match asked {
        Ok(asked) => asked,
        Err(UpstreamError::UnknownMethod) => {
            meter.ended(Outcome::Error);
            let method = errand.message.method().unwrap_or_default();
            let error = agentkube_mcp::ErrorObject::unknown_method(method);
            return super::dispatch::failure(errand.caller, errand.id, &error);
        }
        Err(error) => {
            meter.ended(Outcome::Failed);
            return upstream_failure(errand.caller, errand.id, &upstream.name, &error);
        }
    };
    reply(errand, asked, meter, under_way).await
}

/// What came back, as the client gets it.
async fn reply(
    errand: Errand<'_, '_>,
    asked: Asked,
    meter: Meter,
    under_way: Option<UnderWay>,
) -> Reply {
    let asker = errand.asker(meter);
    let session = errand.caller.party.session();
    let cancel = asked.cancel;
    let route = Route {
        upstream: errand.found.upstream.clone(),
        lane: asked.lane,
        id: asked.id,
        own: session.filter(|_| asked.own).cloned(),
        sealer: errand.caller.serving.sealer.clone(),
        withheld: errand.caller.serving.withheld.clone(),
        tasks: tasks::owner(errand.caller, errand.message),
    };
    match asked.answer {
        Answer::Message(bytes) => match asker.translate(&route, &bytes) {
            Ok((status, text)) => {
                cancel.done();
                Reply::Whole { status, text }
            }
            Err(error) => {
                asker.meter.ended(Outcome::Failed);
                upstream_failure(errand.caller, errand.id, &route.upstream.name, &error)
            }
        },
        Answer::Accepted => {
            asker.meter.ended(Outcome::Failed);
            let error = UpstreamError::Garbled("it is empty".to_owned());
            upstream_failure(errand.caller, errand.id, &route.upstream.name, &error)
        }
        Answer::Events(events) => {
            let mut relay = Relay::new(route, *events, asker, cancel, (errand.call, under_way));
            match timeout(FIRST_EVENT, relay.step()).await {
                Ok(Step::Last { status, text }) if !relay.has_primed() => {
                    Reply::Whole { status, text }
                }
                Ok(step) => {
                    relay.put_back(step);
                    Reply::Stream(Box::new(relay))
                }
                Err(_) => Reply::Stream(Box::new(relay)),
            }
        }
    }
}

impl Errand<'_, '_> {
    /// What the client follows with this request, or no longer.
    fn follow(&self) -> Option<Followed> {
        let follows = match self.method {
            Method::Subscribe => true,
            Method::Unsubscribe => false,
            _ => return None,
        };
        let live = self.caller.party.session()?;
        let uri = self.message.param("uri")?.into_owned();
        let upstream = self.found.upstream.fingerprint;
        let word = Word::Follows {
            upstream,
            uri: uri.clone(),
            follows,
        };
        Some(Followed {
            follow: Follow::new(live.link(upstream), uri, follows),
            told: Teller::of_caller(self.caller).zip(Some(word)),
        })
    }

    fn asker(&self, meter: Meter) -> Asker {
        let meta = self.message.meta();
        let text = |key| {
            meta.as_ref()
                .and_then(|meta| meta.value(key))
                .map(str::to_owned)
        };
        Asker {
            id: self.id.clone().into_owned(),
            era: self.caller.era(),
            method: self.method,
            progress_token: text(meta::PROGRESS_TOKEN),
            log_level: text(meta::LOG_LEVEL),
            capabilities: text(meta::CLIENT_CAPABILITIES),
            info: self.caller.serving.info.clone(),
            scope: self.scope.clone(),
            follow: self.follow(),
            tally: self.caller.tally.clone(),
            meter,
        }
    }

    /// The request as it goes over this lane, under this id. In a session that
    /// others share the id also names the progress of the call, so that both are
    /// unique there.
    fn outgoing(&self, lane: &Lane, hop: &Hop) -> Outgoing {
        let token = hop.id.as_json();
        let found = &self.found;
        let named = found.named.as_ref();
        let rewrite = Rewrite {
            named: named.map(|(key, value)| (*key, Cow::Borrowed(value.as_str()))),
            reference: found.reference.clone(),
            progress_token: (!hop.own).then_some(token),
            own: hop.own,
            state: self.state.as_deref(),
        };
        let params = match lane {
            Lane::Modern(offer) => {
                let info = &self.caller.serving.info;
                let session = self.caller.party.session();
                let level = session.map(|live| live.level().unwrap_or_else(|| LEVEL.to_owned()));
                let speaker = Speaker {
                    version: offer.version,
                    info,
                    capabilities: session.map_or("{}", |live| &live.capabilities),
                };
                let params = bridge::modern_params(self.message.params(), &rewrite, speaker);
                Some(with_level(params, level.as_deref()))
            }
            _ => bridge::legacy_params(self.message.params(), &rewrite),
        };
        let mut edit = self.message.object().edit();
        edit.set("id", token);
        if let Some(params) = params {
            edit.set("params", params);
        }
        Outgoing {
            body: edit.finish().into(),
            method: self.message.method().unwrap_or_default().to_owned(),
            name: self.header_name(),
            params: self.mirrored(),
        }
    }

    /// `Mcp-Name`: the upstream's own name. Which parameter of an unknown method
    /// it repeats only the client knows, and nothing was rewritten there.
    fn header_name(&self) -> Option<String> {
        match self.method {
            Method::Other => self
                .caller
                .headers
                .get(header::NAME)
                .and_then(header::decode),
            method => {
                method.named_by()?;
                self.found.named.as_ref().map(|(_, value)| value.clone())
            }
        }
    }

    /// `Mcp-Param-*`: the client's own, which the upstream compares with the
    /// body; of a legacy client, which sends none, made from the arguments.
    fn mirrored(&self) -> Vec<(http::HeaderName, http::HeaderValue)> {
        match self.caller.era() {
            Era::Modern => {
                let headers = self.caller.headers.iter();
                let params =
                    headers.filter(|(name, _)| name.as_str().starts_with(header::PARAM_PREFIX));
                params
                    .map(|(name, value)| (name.clone(), value.clone()))
                    .collect()
            }
            Era::Legacy => {
                let arguments = self
                    .message
                    .params()
                    .and_then(|params| params.value("arguments"));
                param::headers(&self.found.params, arguments)
            }
        }
    }
}

fn with_level(params: String, level: Option<&str>) -> String {
    let Some(level) = level else { return params };
    let edited = json::Object::parse(&params).and_then(|object| {
        let meta = object.object("_meta")?;
        let meta = meta
            .edit()
            .set_if_absent(meta::LOG_LEVEL, json::quote(level))
            .finish();
        Some(object.edit().set("_meta", meta).finish())
    });
    edited.unwrap_or(params)
}
