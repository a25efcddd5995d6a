"""Servers that ask clients, through two proxies that share a state directory.

Every request goes to the other process than the one before, so nothing of a
session can be in the memory of one of them."""

import asyncio
import pathlib
import sys

import httpx2
import pytest
from mcp import types
from mcp.client import Client
from mcp.client.streamable_http import streamable_http_client

import manifests
from rig import DEADLINE, Agentkube

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "conformance"))
from round_robin import RoundRobin  # noqa: E402


@pytest.fixture(scope="module")
def replicas(tmp_path_factory, everything):
    folder = tmp_path_factory.mktemp("replicas")
    path = manifests.write(
        folder / "objects.yaml",
        manifests.secret("tools-token", token=manifests.TOOLS_TOKEN),
        manifests.tools("everything", everything, mode="all"),
    )
    both = [Agentkube(folder, path) for _ in range(2)]
    lines = [agentkube.mcp("everything") for agentkube in both]
    assert lines[0]["key"] == lines[1]["key"], "the key of client local is shared too"
    yield {"url": RoundRobin([line["url"] for line in lines]).url, "key": lines[0]["key"]}
    for agentkube in both:
        assert agentkube.process.stop() == 0


def talk(proxy, story, **options):
    """Runs `await story(client)` with a legacy client in a session."""

    async def run():
        headers = {"authorization": f"Bearer {proxy['key']}"}
        async with httpx2.AsyncClient(headers=headers, timeout=DEADLINE) as http_client:
            transport = streamable_http_client(proxy["url"], http_client=http_client)
            async with Client(transport, mode="legacy", **options) as client:
                return await asyncio.wait_for(story(client), DEADLINE)

    return asyncio.run(run())


def test_a_server_samples_from_the_client(replicas):
    async def sample(_, params):
        assert "name the planet" in params.messages[0].content.text
        content = types.TextContent(type="text", text="Pluto")
        return types.CreateMessageResult(role="assistant", model="fake", content=content)

    async def story(client):
        tools = {tool.name for tool in (await client.list_tools()).tools}
        assert "trigger-sampling-request" in tools
        assert "trigger-elicitation-request" not in tools, "this client cannot be elicited"
        arguments = {"prompt": "name the planet", "maxTokens": 7}
        return await client.call_tool("trigger-sampling-request", arguments)

    result = talk(replicas, story, sampling_callback=sample)
    assert not result.is_error
    assert "Pluto" in result.content[0].text


def test_a_server_elicits_from_the_client(replicas):
    async def elicit(_, params):
        assert "name" in params.requested_schema["properties"]
        return types.ElicitResult(action="accept", content={"name": "Ada"})

    async def story(client):
        return await client.call_tool("trigger-elicitation-request", {})

    result = talk(replicas, story, elicitation_callback=elicit)
    assert not result.is_error
    assert any("Ada" in part.text for part in result.content)


def test_a_server_reads_the_roots_of_the_client(replicas):
    async def roots(_):
        return types.ListRootsResult(roots=[types.Root(uri="file:///work", name="work")])

    async def story(client):
        return await client.call_tool("get-roots-list", {})

    result = talk(replicas, story, list_roots_callback=roots)
    assert "file:///work" in result.content[0].text


def test_progress_is_told_and_a_subscription_is_taken(replicas):
    seen = []

    async def progress(done, total, message):
        seen.append(done)

    async def story(client):
        resources = (await client.list_resources()).resources
        await client.session.subscribe_resource(resources[0].uri)
        await client.session.unsubscribe_resource(resources[0].uri)
        arguments = {"duration": 1, "steps": 4}
        return await client.call_tool(
            "trigger-long-running-operation", arguments, progress_callback=progress
        )

    result = talk(replicas, story)
    assert not result.is_error
    assert seen == [1, 2, 3, 4]


def test_a_modern_client_listens_for_changes(replicas):
    """The stream opens, is acknowledged, and a legacy upstream stands behind it."""

    async def run():
        headers = {"authorization": f"Bearer {replicas['key']}"}
        async with httpx2.AsyncClient(headers=headers, timeout=DEADLINE) as http_client:
            transport = streamable_http_client(replicas["url"], http_client=http_client)
            async with Client(transport, mode="2026-07-28") as client:
                async with client.listen(tools_list_changed=True) as subscription:
                    return subscription.honored

    honored = asyncio.run(asyncio.wait_for(run(), DEADLINE))
    assert honored.tools_list_changed
