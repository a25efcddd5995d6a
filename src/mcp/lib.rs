//! Model Context Protocol, sans-IO.
