//! A source in memory: `agentkube run` resolves manifests and hands the plan in.

use std::sync::Arc;

use agentkube_plan::{ClientTable, PlanDigest};
use tokio::sync::watch;

use super::watch::Published;
use super::{Loaded, Plan, PlanWatch, Secrets};

/// Serves what it is given until it is given something else.
#[derive(Debug)]
pub struct MemorySource<P>(watch::Sender<Published<P>>);

impl<P: Plan> MemorySource<P> {
    /// A source of this plan.
    ///
    /// # Errors
    /// When the plan fails [`Plan::check`].
    pub fn new(plan: P, clients: &ClientTable, secrets: Secrets) -> Result<Self, String> {
        let source = Self(watch::Sender::new(Published::default()));
        source.replace(plan, clients, secrets)?;
        Ok(source)
    }

    /// Serves this plan from now on, with these clients and credentials.
    ///
    /// # Errors
    /// When the plan fails [`Plan::check`]; the one before goes on being served,
    /// and the report says why.
    pub fn replace(&self, plan: P, clients: &ClientTable, secrets: Secrets) -> Result<(), String> {
        let loaded = plan.check().and_then(|()| load(plan, clients, secrets));
        let result = loaded.as_ref().map(|_| ()).map_err(String::clone);
        self.0.send_modify(|published| match loaded {
            Ok(loaded) => {
                *published = Published {
                    loaded: Some(Arc::new(loaded)),
                    ..Published::default()
                }
            }
            Err(reason) => published.plan_rejected = Some(reason),
        });
        result
    }

    /// A reading end.
    #[must_use]
    pub fn watch(&self) -> PlanWatch<P> {
        PlanWatch(self.0.subscribe())
    }
}

fn load<P: Plan>(plan: P, clients: &ClientTable, secrets: Secrets) -> Result<Loaded<P>, String> {
    let bytes = serde_json::to_vec(&plan).map_err(|error| error.to_string())?;
    let table = serde_json::to_vec(clients).map_err(|error| error.to_string())?;
    let table = Some((clients, PlanDigest::of(&table)));
    Ok(Loaded::new(plan, PlanDigest::of(&bytes), table, secrets))
}
