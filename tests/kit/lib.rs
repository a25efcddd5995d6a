//! Scripted upstreams and a fake API server for the tests.
