//! The authorities of one installation, as the CA Secret holds them.

use std::collections::BTreeMap;

use jiff::Timestamp;
use zeroize::Zeroizing;

use crate::ca::CaCert;
use crate::rotation::due;
use crate::{Ca, CertError, Leaf, Step};

const CURRENT_CERT: &str = "ca.crt";
const CURRENT_KEY: &str = "ca.key";
const NEXT_CERT: &str = "next.crt";
const NEXT_KEY: &str = "next.key";
const RETIRED_CERT: &str = "retired.crt";
const RETIRED_SINCE: &str = "retired-since";

/// Entries of the CA Secret; values are zeroized on drop.
pub type SecretData = BTreeMap<String, Zeroizing<Vec<u8>>>;

/// The current authority and, during a rotation, its neighbours.
#[derive(Clone, Debug)]
pub struct Authority {
    pub(crate) current: Ca,
    pub(crate) next: Option<Ca>,
    pub(crate) retired: Option<Retired>,
}

/// An authority that signs no more but whose leaves may still be served.
#[derive(Clone, Debug)]
pub(crate) struct Retired {
    pub(crate) cert: CaCert,
    pub(crate) since: Timestamp,
}

impl Authority {
    /// A first authority.
    ///
    /// # Errors
    /// [`CertError::Sign`].
    pub fn generate(now: Timestamp) -> Result<Self, CertError> {
        Ok(Self {
            current: Ca::generate(now)?,
            next: None,
            retired: None,
        })
    }

    /// Reads the CA Secret.
    ///
    /// # Errors
    /// [`CertError::EntryMissing`] or [`CertError::EntryInvalid`], naming the
    /// entry and never its contents.
    pub fn from_secret<V: AsRef<[u8]>>(data: &BTreeMap<String, V>) -> Result<Self, CertError> {
        let optional = |entry: &'static str| data.get(entry).map(AsRef::as_ref);
        let entry = |entry| {
            Ok::<_, CertError>((
                entry,
                optional(entry).ok_or(CertError::EntryMissing(entry))?,
            ))
        };
        let pair = |cert, key| Ca::from_pem(entry(cert)?, entry(key)?);
        let current = pair(CURRENT_CERT, CURRENT_KEY)?;
        let next = optional(NEXT_CERT)
            .is_some()
            .then(|| pair(NEXT_CERT, NEXT_KEY))
            .transpose()?;
        let retired = optional(RETIRED_CERT)
            .map(|pem| {
                let cert = CaCert::from_entry(RETIRED_CERT, pem)?;
                Ok::<_, CertError>(Retired {
                    cert,
                    since: instant(entry(RETIRED_SINCE)?)?,
                })
            })
            .transpose()?;
        Ok(Self {
            current,
            next,
            retired,
        })
    }

    /// The entries to be written into the CA Secret, all of them.
    #[must_use]
    pub fn to_secret(&self) -> SecretData {
        let mut data = SecretData::new();
        let mut put = |entry: &str, text: &str| {
            data.insert(entry.to_owned(), Zeroizing::new(text.as_bytes().to_vec()));
        };
        put(CURRENT_CERT, self.current.cert_pem());
        put(CURRENT_KEY, self.current.key().expose());
        if let Some(next) = &self.next {
            put(NEXT_CERT, next.cert_pem());
            put(NEXT_KEY, next.key().expose());
        }
        if let Some(retired) = &self.retired {
            put(RETIRED_CERT, retired.cert.pem());
            put(RETIRED_SINCE, &retired.since.to_string());
        }
        data
    }

    /// The `caBundle`: every authority whose leaves may be served now or next,
    /// in PEM, one after the other.
    #[must_use]
    pub fn bundle_pem(&self) -> String {
        let next = self.next.as_ref().map(Ca::cert_pem);
        let retired = self.retired.as_ref().map(|retired| retired.cert.pem());
        [Some(self.current.cert_pem()), next, retired]
            .into_iter()
            .flatten()
            .map(|pem| format!("{}\n", pem.trim_end()))
            .collect()
    }

    /// The step that is due at `now`; see [`Step`].
    ///
    /// `published_since` is when every webhook configuration was first seen to
    /// carry [`bundle_pem`](Self::bundle_pem), or `None` while one does not.
    #[must_use]
    pub fn due(&self, published_since: Option<Timestamp>, now: Timestamp) -> Step {
        due(self, published_since, now)
    }

    /// The authority after `step`.
    ///
    /// # Errors
    /// [`CertError::StepImpossible`] for [`Step::Promote`] without a next
    /// authority; [`CertError::Sign`].
    pub fn advance(&self, step: Step, now: Timestamp) -> Result<Self, CertError> {
        let mut after = self.clone();
        match step {
            Step::Keep => {}
            Step::Introduce => after.next = Some(Ca::generate(now)?),
            Step::Promote => {
                let next = after.next.take().ok_or(CertError::StepImpossible(step))?;
                let old = std::mem::replace(&mut after.current, next);
                after.retired = Some(Retired {
                    cert: old.cert,
                    since: now,
                });
            }
            Step::Retire => after.retired = None,
            // A next authority that was already published is worth more than a
            // fresh one that nobody knows.
            Step::Replace => {
                let published = after.next.take().filter(|next| now < next.cert.not_after);
                after.current = match published {
                    Some(next) => next,
                    None => Ca::generate(now)?,
                };
                after.retired = None;
            }
        }
        Ok(after)
    }

    /// Signs a serving certificate for `names` (DNS names or IP addresses).
    ///
    /// # Errors
    /// [`CertError::Sign`] for a name that is neither, [`CertError::Serve`].
    pub fn sign_leaf(&self, names: &[String], now: Timestamp) -> Result<Leaf, CertError> {
        Leaf::sign(&self.current, names, now)
    }

    /// True when a replica that serves `leaf` has to sign another one.
    #[must_use]
    pub fn leaf_is_due(&self, leaf: &Leaf, now: Timestamp) -> bool {
        leaf.is_due(&self.current, now)
    }

    /// End of validity of the authority that signs.
    #[must_use]
    pub fn not_after(&self) -> Timestamp {
        self.current.cert.not_after
    }
}

fn instant((entry, text): (&'static str, &[u8])) -> Result<Timestamp, CertError> {
    std::str::from_utf8(text)
        .ok()
        .and_then(|text| text.trim().parse().ok())
        .ok_or(CertError::EntryInvalid {
            entry,
            expected: "a time in RFC 3339",
        })
}
