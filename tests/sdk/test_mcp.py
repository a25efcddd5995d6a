"""The official MCP clients through the proxy, to npm's server-everything."""

import asyncio
import json
import subprocess

import httpx2
import pytest
from mcp.client import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.exceptions import MCPError

from rig import DEADLINE, NODE_MODULES, http, node

INSPECTOR = NODE_MODULES / "@modelcontextprotocol/inspector/clients/launcher/build/index.js"
MODES = pytest.mark.parametrize("mode", ["legacy", "auto", "2026-07-28"])


def talk(proxy, mode, story, patience=DEADLINE):
    """Runs `await story(client)` with a client that is connected to the proxy."""

    async def run():
        headers = {"authorization": f"Bearer {proxy['key']}"}
        async with httpx2.AsyncClient(headers=headers, timeout=patience) as http_client:
            transport = streamable_http_client(proxy["url"], http_client=http_client)
            async with Client(transport, mode=mode) as client:
                return await story(client)

    return asyncio.run(run())


async def names(client):
    return {tool.name for tool in (await client.list_tools()).tools}


@MODES
def test_a_tool_is_listed_and_called(agentkube, mode):
    async def story(client):
        assert "echo" in await names(client)
        return await client.call_tool("echo", {"message": "through the proxy"})

    result = talk(agentkube.mcp("allowed"), mode, story)
    assert not result.is_error
    assert result.content[0].text == "Echo: through the proxy"


def test_a_dual_era_client_finds_the_modern_era(agentkube):
    async def story(client):
        return client.protocol_version

    assert talk(agentkube.mcp("allowed"), "auto", story) == "2026-07-28"


@MODES
def test_only_what_is_allowed_is_listed(agentkube, mode):
    listed = talk(agentkube.mcp("allowed"), mode, names)
    assert {"echo", "get-sum", "get-env"} <= listed
    assert all(name == "echo" or name.startswith("get-") for name in listed)


@MODES
def test_what_is_denied_is_absent_and_the_rest_is_there(agentkube, mode):
    listed = talk(agentkube.mcp("denied"), mode, names)
    assert "get-env" not in listed
    assert {"echo", "get-sum"} <= listed


@MODES
def test_a_denied_tool_is_refused_like_an_unknown_one(agentkube, mode):
    async def refusal(client, tool):
        with pytest.raises(MCPError) as refused:
            await client.session.call_tool(tool, {})
        return refused.value.error

    async def story(client):
        return await refusal(client, "get-env"), await refusal(client, "no-such")

    denied, unknown = talk(agentkube.mcp("denied"), mode, story)
    assert denied.code == unknown.code == -32602
    assert denied.message.replace("get-env", "*") == unknown.message.replace("no-such", "*")
    assert denied.data == unknown.data


@MODES
def test_a_tool_that_is_not_allowed_does_not_run(agentkube, mode):
    async def story(client):
        with pytest.raises(MCPError) as refused:
            await client.session.call_tool("toggle-simulated-logging", {})
        return refused.value.error.code

    assert talk(agentkube.mcp("allowed"), mode, story) == -32602


def test_members_that_the_proxy_does_not_know_come_through(agentkube, everything):
    def listed(url, headers):
        message = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}}
        return {t["name"]: t for t in http(url, message, headers).json()["result"]["tools"]}

    accept = {"accept": "application/json, text/event-stream"}
    hello = {
        "protocolVersion": "2025-11-25",
        "capabilities": {},
        "clientInfo": {"name": "test", "version": "1"},
    }
    message = {"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": hello}
    session = http(everything, message, accept).headers["mcp-session-id"]
    versioned = {**accept, "mcp-protocol-version": "2025-11-25"}
    in_session = {**versioned, "mcp-session-id": session}
    # Some of its tools appear only then.
    ready = {"jsonrpc": "2.0", "method": "notifications/initialized"}
    assert http(everything, ready, in_session).status == 202
    direct = listed(everything, in_session)
    proxy = agentkube.mcp("denied")
    through = listed(proxy["url"], {**versioned, "authorization": f"Bearer {proxy['key']}"})
    del direct["get-env"]
    assert through == direct
    assert list(through["echo"]) == list(direct["echo"]), "members keep their order"


def test_an_unknown_key_is_unauthorized(agentkube):
    message = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
    headers = {"accept": "application/json, text/event-stream", "authorization": "Bearer wrong"}
    answer = http(agentkube.mcp("allowed")["url"], message, headers)
    assert answer.status == 401
    assert answer.headers["www-authenticate"].startswith("Bearer")


def inspect(proxy, *arguments):
    command = [node(), INSPECTOR, "--cli", proxy["url"], *arguments]
    command += ["--header", f"Authorization: Bearer {proxy['key']}"]
    return subprocess.run(
        [str(part) for part in command], capture_output=True, text=True, timeout=DEADLINE * 2
    )


@pytest.mark.parametrize("era", ["legacy", "auto", "modern"])
def test_the_inspector_lists_and_calls(agentkube, era):
    proxy = agentkube.mcp("allowed")
    listed = inspect(proxy, "--method", "tools/list", "--protocol-era", era)
    assert listed.returncode == 0, listed.stderr
    tools = [tool["name"] for tool in json.loads(listed.stdout)["tools"]]
    assert "echo" in tools and "toggle-simulated-logging" not in tools
    called = inspect(
        proxy, "--method", "tools/call", "--tool-name", "echo", "--tool-arg", "message=hi",
        "--protocol-era", era,
    )
    assert called.returncode == 0, called.stderr
    assert json.loads(called.stdout)["content"][0]["text"] == "Echo: hi"


def test_the_inspector_finds_no_denied_tool(agentkube):
    called = inspect(
        agentkube.mcp("denied"), "--method", "tools/call", "--tool-name", "get-env"
    )
    assert called.returncode != 0
    assert "get-env" in called.stderr
