module agentkube.io/tests/bench/mcp

go 1.26
