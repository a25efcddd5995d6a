//! LLM wire dialects, sans-IO.
