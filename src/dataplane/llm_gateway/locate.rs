//! Where a request goes at an upstream: its base URL, what the wire appends, and
//! the client's query where it means something there.

use agentkube_llm::embed::EmbedService;
use agentkube_llm::{Action, ApiError, ErrorKind, InvalidSegment, Profile, Service};
use http::{HeaderValue, Uri};

use crate::upstream::host;

/// The addresses of one upstream. Those that name no model are parsed once.
pub(super) struct Addresses {
    base: String,
    host: HeaderValue,
    /// `api-version=…` of every address.
    version: Option<String>,
    fixed: Vec<(&'static str, Uri)>,
}

impl Addresses {
    /// None when the base URL is none.
    pub(super) fn new(base: &str, profile: &Profile, version: Option<&str>) -> Option<Self> {
        const ACTIONS: [Action; 3] = [Action::CountTokens, Action::Generate, Action::Stream];
        let host = host(&base.parse().ok()?)?;
        let services = profile.services().iter();
        let paths = services.flat_map(|service| {
            ACTIONS.map(|action| Some((service.base(base), service.template(action)?)))
        });
        let embeddings = profile.embeddings.map(|path| (base, path));
        let fixed = paths.flatten().chain(embeddings);
        let fixed = fixed.filter(|(_, template)| version.is_none() && !template.contains('{'));
        Some(Self {
            base: base.to_owned(),
            host,
            version: version.map(|version| format!("api-version={version}")),
            fixed: fixed
                .filter_map(|(base, path)| Some((path, format!("{base}{path}").parse().ok()?)))
                .collect(),
        })
    }

    /// The value of `host`, which the client would spell anew for each request.
    pub(super) fn host(&self) -> &HeaderValue {
        &self.host
    }

    /// The address for an action. `query` is the client's, with its question mark.
    ///
    /// # Errors
    /// When the wire has no such action, or the model's name does not fit into its
    /// path.
    pub(super) fn of(
        &self,
        service: &Service,
        action: Action,
        model: &str,
        query: &str,
    ) -> Result<Uri, ApiError> {
        let query = if service.client_query { query } else { "" };
        let fixed = service
            .template(action)
            .and_then(|path| self.fixed(path, query));
        if let Some(uri) = fixed {
            return Ok(uri.clone());
        }
        let path = service.path(action, model).map_err(unfit)?;
        let Some(path) = path else {
            let message = format!("no upstream of `{model}` can count tokens");
            return Err(ApiError::new(ErrorKind::NotFound, message));
        };
        self.at(service.base(&self.base), &path, query)
    }

    /// The address for embeddings.
    ///
    /// # Errors
    /// When the model's name does not fit into the path.
    pub(super) fn of_embeddings(
        &self,
        service: EmbedService,
        model: &str,
        query: &str,
    ) -> Result<Uri, ApiError> {
        // Azure's deployments have a version of their own in it.
        let query = if self.version.is_none() { query } else { "" };
        self.at(&self.base, &service.path(model).map_err(unfit)?, query)
    }

    /// One that was parsed already.
    fn fixed(&self, path: &str, query: &str) -> Option<&Uri> {
        let known = self.fixed.iter().find(|(known, _)| *known == path);
        known.filter(|_| query.is_empty()).map(|(_, uri)| uri)
    }

    fn at(&self, base: &str, path: &str, query: &str) -> Result<Uri, ApiError> {
        if let Some(uri) = self.fixed(path, query) {
            return Ok(uri.clone());
        }
        let mut joint = format!("{base}{path}");
        let queries = [query.strip_prefix('?'), self.version.as_deref()];
        for query in queries.into_iter().flatten() {
            joint.push(if joint.contains('?') { '&' } else { '?' });
            joint.push_str(query);
        }
        joint.parse().map_err(|_| {
            let message = "the request's path or query makes no valid URL at the upstream";
            ApiError::new(ErrorKind::InvalidRequest, message)
        })
    }
}

fn unfit(error: InvalidSegment) -> ApiError {
    ApiError::new(ErrorKind::InvalidRequest, error.to_string()).param("model")
}
