//! Foreign kinds, cut down to what the operator reads of them.
//!
//! What a shape does not name is skipped while decoding, so that it never is in
//! memory: the values of Secrets, the specs of Pods.

mod namespace;
mod pod;
mod secret;

pub(crate) use namespace::NamespaceShape;
pub(crate) use pod::PodShape;
pub(crate) use secret::{NOT_HELM, SecretShape};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

/// Metadata without what nobody here reads and what may be large.
pub(crate) fn slim(meta: &mut ObjectMeta) {
    meta.managed_fields = None;
    if let Some(annotations) = &mut meta.annotations {
        annotations.remove("kubectl.kubernetes.io/last-applied-configuration");
    }
}

/// Implements `kube::Resource` for a shape of a core/v1 kind.
macro_rules! core_v1 {
    ($shape:ty, $kind:literal, $plural:literal, $scope:ty) => {
        impl kube::Resource for $shape {
            type DynamicType = ();
            type Scope = $scope;

            fn kind((): &()) -> std::borrow::Cow<'_, str> {
                $kind.into()
            }
            fn group((): &()) -> std::borrow::Cow<'_, str> {
                "".into()
            }
            fn version((): &()) -> std::borrow::Cow<'_, str> {
                "v1".into()
            }
            fn plural((): &()) -> std::borrow::Cow<'_, str> {
                $plural.into()
            }
            fn meta(&self) -> &k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta {
                &self.metadata
            }
            fn meta_mut(
                &mut self,
            ) -> &mut k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta {
                &mut self.metadata
            }
        }
    };
}
pub(crate) use core_v1;
