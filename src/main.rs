//! The agentkube binary.

fn main() {}
