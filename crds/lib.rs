//! The agentkube.io/v1alpha1 API types, their schemas and rules.
