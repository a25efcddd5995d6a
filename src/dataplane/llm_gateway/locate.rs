//! Where a request goes at an upstream: its base URL, what the wire appends, and
//! the client's query where it means something there.

use agentkube_llm::{Action, ApiError, ErrorKind, Profile, Service};
use http::Uri;

/// The addresses of one upstream. Those that name no model are parsed once.
pub(super) struct Addresses {
    base: String,
    fixed: Vec<(&'static str, Uri)>,
}

impl Addresses {
    /// None when the base URL is none.
    pub(super) fn new(base: &str, profile: &Profile) -> Option<Self> {
        const ACTIONS: [Action; 3] = [Action::CountTokens, Action::Generate, Action::Stream];
        base.parse::<Uri>().ok()?;
        let services = profile.services().iter();
        let templates = services.flat_map(|service| ACTIONS.map(|action| service.template(action)));
        let fixed = templates.flatten().chain(profile.embeddings);
        let fixed = fixed.filter(|template| !template.contains('{'));
        Some(Self {
            base: base.to_owned(),
            fixed: fixed
                .filter_map(|path| Some((path, format!("{base}{path}").parse().ok()?)))
                .collect(),
        })
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
        let path = service.path(action, model).map_err(|error| {
            ApiError::new(ErrorKind::InvalidRequest, error.to_string()).param("model")
        })?;
        let Some(path) = path else {
            let message = format!("no upstream of `{model}` can count tokens");
            return Err(ApiError::new(ErrorKind::NotFound, message));
        };
        let fixed = self.fixed.iter().find(|(known, _)| *known == path);
        if let Some((_, uri)) = fixed.filter(|_| query.is_empty()) {
            return Ok(uri.clone());
        }
        let joint = match query.strip_prefix('?') {
            Some(query) if path.contains('?') => format!("{}{path}&{query}", self.base),
            _ => format!("{}{path}{query}", self.base),
        };
        joint.parse().map_err(|_| {
            let message = "the request's path or query makes no valid URL at the upstream";
            ApiError::new(ErrorKind::InvalidRequest, message)
        })
    }
}
