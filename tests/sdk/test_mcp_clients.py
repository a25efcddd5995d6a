"""The Python SDK of MCP, newest and before, and the TypeScript ones, over both HTTP
transports, to servers of both. What is used here both Python versions have."""

import asyncio
import contextlib
import importlib.metadata
import json
import pathlib
import subprocess

import pytest
from mcp import ClientSession, types
from mcp.client import sse, streamable_http

import manifests
from rig import DEADLINE, NODE_MODULES, Agentkube, Everything, node

MAJOR = int(importlib.metadata.version("mcp").split(".")[0])
CLIENTS = pytest.mark.parametrize("path", ["/mcp", "/sse"])
SERVERS = pytest.mark.parametrize("server", ["streamable", "found", "told"])


@pytest.fixture(scope="module")
def proxies(tmp_path_factory, everything):
    folder = tmp_path_factory.mktemp("clients")
    old = Everything(folder, transport="sse")

    def over(name, endpoint, **more):
        upstream = {"name": "everything", "kind": "http", "endpoint": endpoint, **more}
        upstream["tools"] = {"mode": "deny", "deny": ["get-env"]}
        return manifests.obj("MCP", name, {"upstreams": [upstream]})

    path = manifests.write(
        folder / "objects.yaml",
        over("streamable", everything),
        over("found", old.url),
        over("told", old.url, transport="sse"),
        manifests.obj("MCP", "pair", {"upstreams": [
            {"name": name, "kind": "http", "endpoint": everything} for name in ("one", "two")
        ]}),
    )
    agentkube = Agentkube(folder, path)
    yield agentkube
    assert agentkube.process.stop() == 0
    old.process.kill()


def talk(proxy, path, story, **callbacks):
    """Runs `await story(session)` in a session of the proxy."""

    @contextlib.asynccontextmanager
    async def streams():
        url = proxy["url"].removesuffix("/mcp") + path
        headers = {"authorization": f"Bearer {proxy['key']}"}
        if path == "/sse":
            async with sse.sse_client(url, headers=headers) as (read, write):
                yield read, write
        elif MAJOR == 1:
            async with streamable_http.streamablehttp_client(url, headers) as (read, write, _):
                yield read, write
        else:
            import httpx2

            async with httpx2.AsyncClient(headers=headers, timeout=DEADLINE) as client:
                opened = streamable_http.streamable_http_client(url, http_client=client)
                async with opened as (read, write):
                    yield read, write

    async def run():
        async with streams() as (read, write):
            async with ClientSession(read, write, **callbacks) as session:
                await session.initialize()
                return await asyncio.wait_for(story(session), DEADLINE)

    return asyncio.run(run())


def plain(result):
    return result.model_dump(mode="json", by_alias=True)


@SERVERS
@CLIENTS
def test_tools_are_listed_and_called_and_denied_ones_are_unknown(proxies, server, path):
    async def story(session):
        names = {tool.name for tool in (await session.list_tools()).tools}
        assert "echo" in names and "get-env" not in names
        codes = []
        for name in ("get-env", "no-such"):
            with pytest.raises(Exception) as refused:
                await session.call_tool(name, {})
            codes.append(refused.value.error.code)
        assert codes == [-32602, -32602]
        return await session.call_tool("echo", {"message": "hello"})

    result = plain(talk(proxies.mcp(server), path, story))
    assert result["content"][0]["text"] == "Echo: hello"


@SERVERS
@CLIENTS
def test_a_server_asks_the_client_in_the_middle_of_a_call(proxies, server, path):
    async def sample(_, params):
        assert "name the planet" in params.messages[0].content.text
        content = types.TextContent(type="text", text="Pluto")
        return types.CreateMessageResult(role="assistant", model="fake", content=content)

    async def elicit(_, params):
        return types.ElicitResult(action="accept", content={"name": "Ada"})

    async def story(session):
        arguments = {"prompt": "name the planet", "maxTokens": 7}
        sampled = await session.call_tool("trigger-sampling-request", arguments)
        elicited = await session.call_tool("trigger-elicitation-request", {})
        return plain(sampled)["content"], plain(elicited)["content"]

    callbacks = {"sampling_callback": sample, "elicitation_callback": elicit}
    sampled, elicited = talk(proxies.mcp(server), path, story, **callbacks)
    assert "Pluto" in sampled[0]["text"]
    assert any("Ada" in part["text"] for part in elicited)


@SERVERS
@CLIENTS
def test_progress_is_told(proxies, server, path):
    seen = []

    async def progress(done, total, message):
        seen.append(done)

    async def story(session):
        arguments = {"duration": 0.4, "steps": 4}
        name = "trigger-long-running-operation"
        await session.call_tool(name, arguments, progress_callback=progress)

    talk(proxies.mcp(server), path, story)
    assert seen == [1, 2, 3, 4]


@pytest.mark.skipif(MAJOR > 1, reason="the tasks of 2025-11-25 are gone from it")
def test_tasks_of_two_servers_are_told_apart(proxies):
    async def story(session):
        tasks, ids = session.experimental, []
        for server in ("one", "two"):
            arguments = {"topic": f"bees of {server}", "ambiguous": False}
            name = f"{server}__simulate-research-query"
            created = await tasks.call_tool_as_task(name, arguments, ttl=60_000)
            ids.append(created.task.taskId)
        assert len(set(ids)) == 2
        with pytest.raises(Exception) as refused:
            await tasks.list_tasks()
        assert refused.value.error.code == -32601, "it would be everybody's list"
        async for status in tasks.poll_task(ids[1]):
            assert status.taskId == ids[1]
        assert status.status == "completed"
        result = await tasks.get_task_result(ids[1], types.CallToolResult)
        return plain(result)["content"][0]["text"]

    assert "bees of two" in talk(proxies.mcp("pair"), "/mcp", story)


@pytest.mark.skipif(MAJOR > 1, reason="the tasks of 2025-11-25 are gone from it")
def test_a_task_asks_for_input(proxies):
    seen = []

    async def elicit(_, params):
        seen.append(params.meta)
        return types.ElicitResult(action="accept", content={"interpretation": "technical"})

    async def story(session):
        tasks = session.experimental
        arguments = {"topic": "python", "ambiguous": True}
        created = await tasks.call_tool_as_task(
            "two__simulate-research-query", arguments, ttl=60_000)
        task = created.task.taskId
        async for status in tasks.poll_task(task):
            if status.status == "input_required":
                break
        result = await tasks.get_task_result(task, types.CallToolResult)
        related = plain(seen[0])["io.modelcontextprotocol/related-task"]
        assert related["taskId"] == task
        return plain(result)["content"][0]["text"]

    text = talk(proxies.mcp("pair"), "/mcp", story, elicitation_callback=elicit)
    assert "python (technical)" in text


def typescript(which, proxy):
    url = proxy["url"] if which != "sse" else proxy["url"].removesuffix("/mcp") + "/sse"
    # Packages are looked for beside the script.
    script = pathlib.Path(__file__).parent / "typescript_client.mjs"
    there = NODE_MODULES.parent / script.name
    there.write_text(script.read_text())
    command = [str(part) for part in (node(), there, which, url, proxy["key"])]
    done = subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE * 2)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.skipif(MAJOR == 1, reason="it is no matter of Python's version")
@pytest.mark.parametrize("server", ["streamable", "told"])
@pytest.mark.parametrize("which", ["legacy", "sse", "modern"])
def test_the_typescript_sdks_list_call_and_are_asked(proxies, server, which):
    seen = typescript(which, proxies.mcp(server))
    assert "echo" in seen["tools"] and "get-env" not in seen["tools"]
    assert seen["echo"] == "Echo: from TypeScript"
    if which == "modern":
        assert seen["version"] == "2026-07-28"
    else:
        assert "Pluto" in seen["sampled"]


@pytest.mark.skipif(MAJOR == 1, reason="it is no matter of Python's version")
def test_the_inspector_speaks_the_older_transport(proxies):
    from test_mcp import inspect

    proxy = proxies.mcp("told")
    older = {**proxy, "url": proxy["url"].removesuffix("/mcp") + "/sse"}
    listed = inspect(older, "--transport", "sse", "--method", "tools/list")
    assert listed.returncode == 0, listed.stderr
    names = [tool["name"] for tool in json.loads(listed.stdout)["tools"]]
    assert "echo" in names and "get-env" not in names
