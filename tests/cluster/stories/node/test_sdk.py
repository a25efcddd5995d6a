"""The official SDKs through the Services, with the keys that were minted for an Agent."""

import asyncio

import httpx2
from mcp.client import Client
from mcp.client.streamable_http import streamable_http_client
from pods import metric, pods
from support import DEADLINE, until

PIECES = ["Hello", " from", " the", " scripted", " upstream."]
MESSAGES = [{"role": "user", "content": "Hello?"}]


def pieces(chunks):
    return [c.delta.content for chunk in chunks for c in chunk.choices if c.delta.content]


def test_openai_streams_chunk_by_chunk(client, upstream):
    model = "gated-openai-sdk"
    stream = iter(client.chat.completions.create(model=model, messages=MESSAGES, stream=True))
    arrived = [next(stream), next(stream)]
    # The provider holds everything after the first piece back.
    upstream.await_gate(model)
    assert pieces(arrived) == PIECES[:1]
    upstream.open_gate(model)
    assert pieces(stream) == PIECES[1:]


def test_mcp_works_whichever_replica_answers(wiring):
    async def story():
        headers = {"authorization": f"Bearer {wiring['AGENTKUBE_MCP_TOOLS_KEY']}"}
        # Each request is a connection of its own, so it may reach either replica.
        limits = httpx2.Limits(max_keepalive_connections=0)
        async with httpx2.AsyncClient(headers=headers, limits=limits, timeout=DEADLINE) as http:
            transport = streamable_http_client(wiring["AGENTKUBE_MCP_TOOLS_URL"], http_client=http)
            async with Client(transport, mode="legacy") as client:
                assert {tool.name for tool in (await client.list_tools()).tools} == {"echo", "get-sum"}
                return [await client.call_tool("get-sum", {"a": n, "b": 1}) for n in range(20)]

    results = asyncio.run(story())
    assert [str(n + 1) in result.content[0].text for n, result in enumerate(results)] == [True] * 20
    served = [metric(pod, "agentkube_requests_total", "mcp") for pod in pods("mcp", "rig", "tools")]
    assert len(served) == 2 and all(served), "both replicas answered"


def test_what_one_replica_hears_of_a_session_the_other_is_told(wiring):
    headers = {"authorization": f"Bearer {wiring['AGENTKUBE_MCP_TOOLS_KEY']}",
               "accept": "application/json, text/event-stream",
               "mcp-protocol-version": "2025-11-25"}
    one, other = (f"http://{pod['status']['podIP']}:8080/mcp" for pod in pods("mcp", "rig", "tools"))

    def say(url, method, **params):
        message = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
        return httpx2.post(url, json=message, headers=headers, timeout=DEADLINE)

    opened = say(one, "initialize", protocolVersion="2025-11-25", capabilities={},
                 clientInfo={"name": "story", "version": "1"})
    headers["mcp-session-id"] = opened.headers["mcp-session-id"]
    assert [say(url, "ping").status_code for url in (one, other)] == [200, 200]
    assert httpx2.delete(one, headers=headers, timeout=DEADLINE).status_code == 204
    # They find each other by their Service.
    until("the other one knows", lambda: say(other, "ping").status_code == 404)
