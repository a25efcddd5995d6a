//! The tower stacks of the LLM gateway and the MCP proxy.
