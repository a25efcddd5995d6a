//! llm_gateway
