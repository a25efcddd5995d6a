"""The README's first command, as it stands: no key and no network."""

import pathlib

import anthropic
import openai
import pytest

from rig import Agentkube, http

QUICKSTART = pathlib.Path(__file__).parents[2] / "examples/quickstart"
MESSAGES = [{"role": "user", "content": "Hello?"}]


@pytest.fixture(scope="module")
def quickstart(tmp_path_factory):
    agentkube = Agentkube(tmp_path_factory.mktemp("quickstart"), QUICKSTART, demo=True)
    yield agentkube
    assert agentkube.process.stop() == 0


def test_openai_is_answered_by_the_demo(quickstart):
    gateway = quickstart.gateway("models")
    client = openai.OpenAI(base_url=f"{gateway['url']}/v1", api_key=gateway["key"], max_retries=0)
    with client:
        answer = client.chat.completions.create(model="gpt-5.1", messages=MESSAGES)
        stream = client.chat.completions.create(model="gpt-5.1", messages=MESSAGES, stream=True)
        streamed = "".join(c.delta.content or "" for chunk in stream for c in chunk.choices)
    assert "gpt-5.1" in answer.choices[0].message.content
    assert streamed == answer.choices[0].message.content


def test_anthropic_is_answered_by_the_demo(quickstart):
    gateway = quickstart.gateway("models")
    with anthropic.Anthropic(
        base_url=gateway["url"], api_key=gateway["key"], max_retries=0
    ) as client:
        answer = client.messages.create(model="sonnet", max_tokens=64, messages=MESSAGES)
    assert "claude-sonnet-4-6" in answer.content[0].text


def test_the_demo_tools_are_filtered(quickstart):
    proxy = quickstart.mcp("tools")
    headers = {
        "accept": "application/json, text/event-stream",
        "authorization": f"Bearer {proxy['key']}",
    }
    message = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
    answer = http(proxy["url"], message, headers).json()
    names = {tool["name"] for tool in answer["result"]["tools"]}
    assert names == {"create_issue", "list_issues", "add_comment"}
