//! The MCP proxy: tool requests from clients to tool servers.
