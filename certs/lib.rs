//! CA, leaf certificates, rotation and a hot-reloading TLS resolver.
