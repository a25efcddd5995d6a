//! What a source needs to know of a plan, whichever plane it is for.

use std::collections::BTreeSet;
use std::fmt;

use agentkube_plan::{
    ClientAuth, GatewayPlan, ObjectName, ProxyPlan, SecretEntry, UpstreamAuth, UpstreamKind,
};
use http::uri::Authority;
use http::{HeaderName, Uri};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// A plan that a source can load.
pub trait Plan: Clone + fmt::Debug + DeserializeOwned + Serialize + Send + Sync + 'static {
    /// The object it was made from.
    fn object(&self) -> &ObjectName;

    /// Who may call.
    fn auth(&self) -> ClientAuth;

    /// The credentials it names.
    fn secrets(&self) -> Vec<&SecretEntry>;

    /// What a type cannot say: a plan that fails here is never served.
    ///
    /// # Errors
    /// A sentence that names the field.
    fn check(&self) -> Result<(), String>;
}

impl Plan for GatewayPlan {
    fn object(&self) -> &ObjectName {
        &self.object
    }

    fn auth(&self) -> ClientAuth {
        self.auth
    }

    fn secrets(&self) -> Vec<&SecretEntry> {
        let upstreams = self.upstreams.iter();
        upstreams
            .flat_map(|upstream| upstream.credentials.secrets())
            .collect()
    }

    fn check(&self) -> Result<(), String> {
        check_names(self.upstreams.iter().map(|upstream| &upstream.name))?;
        self.upstreams
            .iter()
            .try_for_each(|upstream| check_url(&upstream.name, &upstream.base_url))
    }
}

impl Plan for ProxyPlan {
    fn object(&self) -> &ObjectName {
        &self.object
    }

    fn auth(&self) -> ClientAuth {
        self.auth
    }

    fn secrets(&self) -> Vec<&SecretEntry> {
        self.upstreams
            .iter()
            .flat_map(|upstream| upstream.secrets())
            .chain(self.session_keys.iter().flat_map(|keys| keys.entries()))
            .collect()
    }

    fn check(&self) -> Result<(), String> {
        check_names(self.upstreams.iter().map(|upstream| &upstream.name))?;
        self.peers.iter().try_for_each(|peer| check_peer(peer))?;
        self.upstreams.iter().try_for_each(|upstream| {
            match &upstream.kind {
                UpstreamKind::Http { endpoint, .. } => check_url(&upstream.name, endpoint)?,
                UpstreamKind::Child { command, .. } if command.is_empty() => {
                    return Err(format!("upstream {:?}: no program is named", upstream.name));
                }
                UpstreamKind::Absent { .. }
                | UpstreamKind::Child { .. }
                | UpstreamKind::Socket { .. } => {}
            }
            check_auth(&upstream.name, &upstream.auth)
        })
    }
}

fn check_peer(peer: &str) -> Result<(), String> {
    let authority = peer.parse::<Authority>().ok();
    match authority.and_then(|authority| authority.port_u16()) {
        Some(_) => Ok(()),
        None => Err(format!("peer {peer:?} is not host:port")),
    }
}

fn check_names<'a>(names: impl Iterator<Item = &'a String>) -> Result<(), String> {
    let mut seen = BTreeSet::new();
    for name in names {
        if !seen.insert(name) {
            return Err(format!("upstream {name:?} is there twice"));
        }
    }
    if seen.is_empty() {
        return Err("a plan without upstreams".to_owned());
    }
    Ok(())
}

fn check_auth(upstream: &str, auth: &UpstreamAuth) -> Result<(), String> {
    match auth {
        UpstreamAuth::Header { header, .. } => match header.parse::<HeaderName>() {
            Ok(_) => Ok(()),
            Err(_) => Err(format!(
                "upstream {upstream:?}: {header:?} is no name of a header"
            )),
        },
        UpstreamAuth::Oauth2(oauth2) => check_url(upstream, &oauth2.token_url),
        UpstreamAuth::Basic { .. } | UpstreamAuth::Bearer { .. } | UpstreamAuth::None => Ok(()),
    }
}

fn check_url(upstream: &str, url: &str) -> Result<(), String> {
    let bad = |why: &str| format!("upstream {upstream:?}: {url:?} {why}");
    let uri: Uri = url.parse().map_err(|_| bad("is not a URL"))?;
    match uri.scheme_str() {
        Some("http" | "https") => Ok(()),
        _ => Err(bad("is neither http nor https")),
    }
}
