"""A labelled Pod and an Agent reach the model and the tools that they were wired to."""

import json

import pytest
from conftest import CREDENTIALS
from support import get, kubectl, until

ANSWER = "Hello from the scripted upstream."


def answers(pod):
    """What the test kit's agent printed, by call."""
    lines = kubectl("logs", "-n", "crew", pod).splitlines()
    return {row["call"]: row for row in map(json.loads, lines)}


@pytest.fixture(scope="module")
def worker(callers):
    """The labelled Pod, ended; its exit code and its answers."""

    def ended():
        pod = get("pod", "worker", "-n", "crew")
        return pod if pod["status"]["phase"] in ("Succeeded", "Failed") else None

    pod = until("the Pod ends", ended)
    return pod["status"]["containerStatuses"][0]["state"]["terminated"]["exitCode"], answers("worker")


def test_its_first_call_is_answered(worker):
    code, calls = worker
    assert code == 0, calls
    assert {row["status"] for row in calls.values()} == {200}


def test_it_gets_the_answer_of_the_provider_in_both_dialects(worker):
    _, calls = worker
    assert calls["chat"]["body"]["choices"][0]["message"]["content"] == ANSWER
    assert calls["messages"]["body"]["content"][0]["text"] == ANSWER


def test_the_provider_sees_the_platforms_credentials_and_no_other(worker, upstream):
    def headers(model):
        return upstream.requests(model)[0]["headers"]

    assert headers("gpt-5.1")["authorization"] == f"Bearer {CREDENTIALS['openai_key']}"
    claude = headers("plain-claude-worker")
    assert claude["x-api-key"] == CREDENTIALS["anthropic_key"]
    assert "authorization" not in claude
    assert "sk-of-the-agent-itself" not in json.dumps(upstream.requests("gpt-5.1"))


def test_only_allowed_tools_are_listed(worker):
    listed = worker[1]["tools tools/list"]["body"]["result"]["tools"]
    assert {tool["name"] for tool in listed} == {"echo", "get-sum"}


def test_an_allowed_tool_answers(worker):
    result = worker[1]["tools tools/call echo"]["body"]["result"]
    assert result["content"][0]["text"] == "Echo: from a Pod"


def test_a_filtered_tool_is_refused_like_an_unknown_one(worker):
    def refusal(tool):
        return json.dumps(worker[1][f"tools tools/call {tool}"]["body"]["error"]).replace(tool, "*")

    assert refusal("get-env") == refusal("no-such")


def test_an_agent_is_wired_the_same(wiring):
    calls = until("it made its calls", lambda: len(answers("reviewer-0")) == 4) and answers("reviewer-0")
    assert {row["status"] for row in calls.values()} == {200}
    assert calls["chat"]["body"]["choices"][0]["message"]["content"] == ANSWER
    assert calls["tools tools/call echo"]["body"]["result"]["content"][0]["text"] == "Echo: from a Pod"


def test_kubectl_get_prints_what_matters(wiring, capsys):
    printed = kubectl("get", "mcp,llmgw,ag", "-A")
    with capsys.disabled():
        print("\n" + printed)
    for column in ("READY", "MODELS", "TOOLS", "UPSTREAMS", "CLIENTS", "PHASE", "AGE"):
        assert column in printed
