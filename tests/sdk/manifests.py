"""The objects under test, as they would be applied to a cluster."""

import json

from rig import free_port

NAMESPACE = "sdk"
# Where the scripted provider's behaviours may stand; see the test kit's scripts.
BEHAVIOURS = (
    "badrequest broken cut cuthead gated guardrail lateerror miderror overloaded plain "
    "quota ratelimited stall stallhead thinking tools unauthorized unfinished"
).split()
OPENAI_KEY, ANTHROPIC_KEY = "sk-upstream-openai", "sk-ant-upstream-anthropic"
BEDROCK_KEY = "bedrock-api-key-upstream"
TOOLS_TOKEN = "upstream-tools-token"
# How the names of models end, and the key of the provider that they reach.
FAMILIES = {"openai": OPENAI_KEY, "claude": ANTHROPIC_KEY, "bedrock": BEDROCK_KEY}


def secret(name, **entries):
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "stringData": {key.replace("_", "-"): value for key, value in entries.items()},
    }


def obj(kind, name, spec):
    return {
        "apiVersion": "agentkube.io/v1alpha1",
        "kind": kind,
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": {"port": free_port(), **spec},
    }


def models(upstream):
    """A gateway with all providers; every behaviour is served by each, under
    `<behaviour>-openai-*`, `<behaviour>-claude-*`, `<behaviour>-bedrock-*` and
    `<behaviour>-ollama-*`."""
    return obj("LLMGateway", "models", {
        "upstreams": [
            {
                "name": "openai",
                "provider": "openai",
                "endpoint": f"{upstream}/v1",
                "credentialsRef": {"name": "openai-key", "key": "api-key"},
                "models": ["gpt-5.1", "gpt-5.1-mini", "gpt-5.1-codex", "text-embedding-3-small"] + [f"{b}-openai-*" for b in BEHAVIOURS],
            },
            {
                "name": "anthropic",
                "provider": "anthropic",
                "endpoint": upstream,
                "credentialsRef": {"name": "anthropic-key", "key": "api-key"},
                "models": ["claude-sonnet-4-6", "claude-haiku-4-5"]
                + [f"{b}-claude-*" for b in BEHAVIOURS],
            },
            {
                "name": "bedrock",
                "provider": "bedrock",
                "region": "us-east-1",
                "endpoint": upstream,
                "credentialsRef": {"name": "bedrock-key", "key": "api-key"},
                "models": ["us.anthropic.claude-sonnet-4-5-20250929-v1:0"]
                + [f"{b}-bedrock-*" for b in BEHAVIOURS],
            },
            {
                "name": "ollama",
                "provider": "ollama",
                "endpoint": upstream,
                "models": [f"{b}-ollama-*" for b in BEHAVIOURS],
            },
        ],
        "routing": {
            "defaultModel": "gpt-5.1",
            # Most of these tests ask for failures, and none is about leaving alone.
            "breaker": {"failures": 1000},
            "modelMap": [
                {"from": "fast", "to": "gpt-5.1-mini"},
                {"from": "haiku", "to": "claude-haiku-4-5"},
            ],
        },
    })


def keyless(upstream):
    """A gateway whose Secret does not exist."""
    return obj("LLMGateway", "keyless", {
        "upstreams": [{
            "name": "openai",
            "provider": "openai",
            "endpoint": upstream,
            "credentialsRef": {"name": "absent-secret", "key": "api-key"},
            "models": ["gpt-5.1"],
        }],
    })


def tools(name, endpoint, **tools_filter):
    """A proxy in front of one tool server."""
    return obj("MCP", name, {
        "upstreams": [{
            "name": "everything",
            "kind": "http",
            "endpoint": endpoint,
            "auth": {"mode": "bearer", "secretRef": {"name": "tools-token", "key": "token"}},
            "tools": tools_filter,
        }],
    })


def write(path, *objects):
    """JSON is YAML; several documents are one file."""
    path.write_text("\n---\n".join(json.dumps(document, indent=2) for document in objects))
    return path
