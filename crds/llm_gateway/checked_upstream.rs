//! One provider endpoint, checked: its base URL as the data plane wants it.

use agentkube_plan::{Credentials, GatewayUpstream, ModelPattern, Provider, UpstreamTimeouts};

use super::{LlmTimeouts, LlmUpstream, ProviderName};
use crate::field::{FieldError, FieldPath, Reason};
use crate::shared::parse::{Errors, http_url};

impl LlmUpstream {
    pub(super) fn parse(&self, path: &FieldPath, errors: &mut Errors) -> Option<GatewayUpstream> {
        // Another provider is refused by the table of what is not supported yet.
        let provider = self.provider.parse()?;
        let base_url = errors.keep(self.base_url(provider, &path.child("endpoint")));
        let credentials = errors.keep(self.credentials(provider, &path.child("credentialsRef")));
        let timeouts = self.timeouts.parse(&path.child("timeouts"), errors);
        Some(GatewayUpstream {
            name: self.name.clone(),
            provider,
            base_url: base_url?,
            credentials: credentials?,
            models: self
                .models
                .iter()
                .map(|model| ModelPattern::from(model.as_str()))
                .collect(),
            model_names: self.model_names.clone(),
            priority: self.priority,
            weight: self.weight.unwrap_or(1),
            timeouts: timeouts?,
        })
    }

    fn credentials(&self, provider: Provider, path: &FieldPath) -> Result<Credentials, FieldError> {
        match (&self.credentials_ref, provider) {
            (Some(secret), _) => Ok(Credentials::ApiKey {
                secret: secret.entry(path)?,
            }),
            (None, Provider::Ollama | Provider::Vllm) => Ok(Credentials::None),
            (None, Provider::Openai | Provider::Anthropic) => {
                let message = format!(
                    "{} needs an API key: write credentialsRef {{name, key}}, a Secret of this \
                     namespace",
                    provider.as_str()
                );
                Err(FieldError::new(path.as_str(), Reason::Required, message))
            }
        }
    }

    fn base_url(&self, provider: Provider, path: &FieldPath) -> Result<String, FieldError> {
        let Some(endpoint) = &self.endpoint else {
            return match provider {
                Provider::Openai => Ok("https://api.openai.com/v1".to_owned()),
                Provider::Anthropic => Ok("https://api.anthropic.com".to_owned()),
                Provider::Ollama | Provider::Vllm => {
                    let message = format!(
                        "{} has no public address: write the endpoint, for example \
                         http://ollama.ai.svc:11434",
                        provider.as_str()
                    );
                    Err(FieldError::new(path.as_str(), Reason::Required, message))
                }
            };
        };
        let url = http_url(endpoint, path)?;
        if url.query().is_some() {
            let message = "requests go to paths below this URL: write it without a query";
            return Err(FieldError::new(path.as_str(), Reason::Invalid, message));
        }
        let base = url.as_str().trim_end_matches('/');
        Ok(match provider {
            Provider::Anthropic => base.strip_suffix("/v1").unwrap_or(base).to_owned(),
            Provider::Openai | Provider::Ollama | Provider::Vllm if is_versioned(url.path()) => {
                base.to_owned()
            }
            Provider::Openai | Provider::Ollama | Provider::Vllm => format!("{base}/v1"),
        })
    }
}

/// Whether a path names a version of an API already: `/v1`, `/v1beta/openai`, `/api/paas/v4`.
fn is_versioned(path: &str) -> bool {
    path.split('/').any(|step| {
        let version = step.strip_prefix('v');
        version.is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
    })
}

impl ProviderName {
    fn parse(self) -> Option<Provider> {
        match self {
            Self::Anthropic => Some(Provider::Anthropic),
            Self::Ollama => Some(Provider::Ollama),
            Self::Openai => Some(Provider::Openai),
            Self::Vllm => Some(Provider::Vllm),
            Self::AzureOpenai | Self::Bedrock | Self::Vertex => None,
        }
    }
}

impl LlmTimeouts {
    fn parse(&self, path: &FieldPath, errors: &mut Errors) -> Option<UpstreamTimeouts> {
        let connect = errors.keep(self.connect.parse(&path.child("connect")));
        let first_token = errors.keep(self.first_token.parse(&path.child("firstToken")));
        let idle = errors.keep(self.idle.parse(&path.child("idle")));
        Some(UpstreamTimeouts {
            connect: connect?,
            first_token: first_token?,
            idle: idle?,
        })
    }
}
