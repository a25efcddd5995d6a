//! One provider endpoint, checked: its base URL as the data plane wants it.

use agentkube_plan::{Credentials, GatewayUpstream, ModelPattern, Provider, UpstreamTimeouts};

use super::{LlmTimeouts, LlmUpstream, ProviderName};
use crate::field::{FieldError, FieldPath, Reason};
use crate::shared::parse::{Errors, http_url};

impl LlmUpstream {
    pub(super) fn parse(&self, path: &FieldPath, errors: &mut Errors) -> Option<GatewayUpstream> {
        let provider = self.provider.parse();
        let base_url = errors.keep(self.base_url(provider, &path.child("endpoint")));
        let credentials = errors.keep(self.credentials(provider, &path.child("credentialsRef")));
        let timeouts = self.timeouts.parse(&path.child("timeouts"), errors);
        let plain = self.places(path, errors);
        plain.then_some(())?;
        Some(GatewayUpstream {
            name: self.name.clone(),
            provider,
            base_url: base_url?,
            api_version: self.api_version.clone(),
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

    /// What becomes a part of an address is no more than that part.
    fn places(&self, path: &FieldPath, errors: &mut Errors) -> bool {
        let places = [
            ("region", &self.region, "-"),
            ("project", &self.project, "-.:"),
            ("location", &self.location, "-"),
            ("apiVersion", &self.api_version, "-."),
        ];
        let mut plain = true;
        for (field, value, marks) in places {
            let legal = |c: char| c.is_ascii_alphanumeric() || marks.contains(c);
            if value
                .as_ref()
                .is_some_and(|value| !value.chars().all(legal))
            {
                let message = format!("only letters, digits and {marks:?} are legal here");
                let field = path.child(field);
                errors.push(FieldError::new(field.as_str(), Reason::Invalid, message));
                plain = false;
            }
        }
        plain
    }

    fn credentials(&self, provider: Provider, path: &FieldPath) -> Result<Credentials, FieldError> {
        match (&self.credentials_ref, provider) {
            (Some(secret), Provider::Bedrock) if secret.key.is_none() => {
                let entry = |key: &str| secret.named(key);
                Ok(Credentials::AwsKeys {
                    region: self.region(),
                    access_key_id: entry("AWS_ACCESS_KEY_ID"),
                    secret_access_key: entry("AWS_SECRET_ACCESS_KEY"),
                    session_token: entry("AWS_SESSION_TOKEN"),
                })
            }
            (Some(secret), Provider::Vertex) => Ok(Credentials::GoogleKey {
                secret: secret.entry(path)?,
            }),
            (Some(secret), _) => Ok(Credentials::ApiKey {
                secret: secret.entry(path)?,
            }),
            (None, Provider::Ollama | Provider::Vllm) => Ok(Credentials::None),
            (None, Provider::AzureOpenai) => Ok(Credentials::AzureWorkload),
            (None, Provider::Vertex) => Ok(Credentials::GoogleWorkload),
            (None, Provider::Bedrock) => Ok(Credentials::AwsWorkload {
                region: self.region(),
            }),
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
            return self.public_base(provider, path);
        };
        let url = http_url(endpoint, path)?;
        if url.query().is_some() {
            let message = "requests go to paths below this URL: write it without a query";
            return Err(FieldError::new(path.as_str(), Reason::Invalid, message));
        }
        let base = url.as_str().trim_end_matches('/');
        let unversioned = base.strip_suffix("/v1").unwrap_or(base);
        Ok(match provider {
            Provider::Anthropic => unversioned.to_owned(),
            Provider::AzureOpenai => self.azure_base(unversioned),
            Provider::Bedrock => base.to_owned(),
            Provider::Vertex => self.vertex_base(unversioned),
            Provider::Openai | Provider::Ollama | Provider::Vllm if is_versioned(url.path()) => {
                base.to_owned()
            }
            Provider::Openai | Provider::Ollama | Provider::Vllm => format!("{base}/v1"),
        })
    }

    /// The provider's own address.
    fn public_base(&self, provider: Provider, path: &FieldPath) -> Result<String, FieldError> {
        match provider {
            Provider::Openai => Ok("https://api.openai.com/v1".to_owned()),
            Provider::Anthropic => Ok("https://api.anthropic.com".to_owned()),
            Provider::Bedrock => Ok(bedrock_host(&self.region())),
            Provider::Vertex => Ok(self.vertex_base(&vertex_host(self.location()))),
            Provider::AzureOpenai | Provider::Ollama | Provider::Vllm => {
                let message = format!(
                    "{} has no public address: write the endpoint, for example \
                     http://ollama.ai.svc:11434",
                    provider.as_str()
                );
                Err(FieldError::new(path.as_str(), Reason::Required, message))
            }
        }
    }

    /// `/openai/v1`, or `/openai` of the legacy API, whose paths name the deployment.
    fn azure_base(&self, endpoint: &str) -> String {
        let host = endpoint.strip_suffix("/openai").unwrap_or(endpoint);
        match self.api_version {
            Some(_) => format!("{host}/openai"),
            None => format!("{host}/openai/v1"),
        }
    }

    fn vertex_base(&self, host: &str) -> String {
        let project = self.project.as_deref().unwrap_or_default();
        format!("{host}/v1/projects/{project}/locations/{}", self.location())
    }

    fn location(&self) -> &str {
        self.location.as_deref().unwrap_or("global")
    }

    /// The schema asks for it.
    fn region(&self) -> String {
        self.region.clone().unwrap_or_default()
    }
}

/// AWS General Reference, "Amazon Bedrock endpoints and quotas".
fn bedrock_host(region: &str) -> String {
    let domain = match region.starts_with("cn-") {
        true => "amazonaws.com.cn",
        false => "amazonaws.com",
    };
    format!("https://bedrock-runtime.{region}.{domain}")
}

/// Vertex AI, "Deployments and endpoints": the multi-regions have hosts of their own.
fn vertex_host(location: &str) -> String {
    match location {
        "global" => "https://aiplatform.googleapis.com".to_owned(),
        "us" | "eu" => format!("https://aiplatform.{location}.rep.googleapis.com"),
        region => format!("https://{region}-aiplatform.googleapis.com"),
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
    fn parse(self) -> Provider {
        match self {
            Self::Anthropic => Provider::Anthropic,
            Self::AzureOpenai => Provider::AzureOpenai,
            Self::Bedrock => Provider::Bedrock,
            Self::Ollama => Provider::Ollama,
            Self::Openai => Provider::Openai,
            Self::Vertex => Provider::Vertex,
            Self::Vllm => Provider::Vllm,
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
