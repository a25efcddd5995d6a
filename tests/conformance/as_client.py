"""The client of a scenario, with the proxy between: `as_client.py URL`.

The suite serves URL and judges who calls it, which is the proxy. What makes the
proxy call is the official SDK: it lists everything and asks for each of it."""

import asyncio
import json
import os
import sys

import httpx2
from mcp import MCPError, types
from mcp.client import Client
from mcp.client.streamable_http import streamable_http_client

from rig import DEADLINE, Children

# The suite says what to call where that cannot be read off the list.
CONTEXT = json.loads(os.environ.get("MCP_CONFORMANCE_CONTEXT") or "{}")


def sample(schema):
    """A value that the schema takes."""
    if "default" in schema:
        return schema["default"]
    members = schema.get("properties", {})
    values = {"integer": 3, "number": 1.5, "boolean": True, "array": [], "null": None,
              "object": {name: sample(member) for name, member in members.items()}}
    return values.get(schema.get("type"), "text")


async def elicited(_, params):
    members = (getattr(params, "requested_schema", None) or {}).get("properties", {})
    content = {name: sample(member) for name, member in members.items()}
    return types.ElicitResult(action="accept", content=content)


async def ask_for_everything(client):
    tools = (await client.list_tools()).tools
    schemas = {tool.name: tool.input_schema for tool in tools}
    calls = CONTEXT.get("toolCalls") or [
        {"name": name, "arguments": sample(schema)} for name, schema in schemas.items()
    ]
    for call in calls:
        echoed = [schema for name, schema in schemas.items() if name != call["name"]]
        if call["name"].endswith("_echo") and echoed:
            call["arguments"] = {"schema": echoed[0]}
        await client.call_tool(call["name"], call["arguments"])
    for resource in await listed(client.list_resources, "resources"):
        await client.read_resource(resource.uri)
    for prompt in await listed(client.list_prompts, "prompts"):
        arguments = {argument.name: "text" for argument in prompt.arguments or []}
        await client.get_prompt(prompt.name, arguments)


async def listed(list_all, member):
    """A list; empty where the server has none."""
    try:
        return getattr(await list_all(), member)
    except MCPError:
        return []


async def main(url):
    async with httpx2.AsyncClient(timeout=DEADLINE) as http:
        transport = streamable_http_client(url, http_client=http)
        mode = os.environ["CONFORMANCE_ERA"]
        async with Client(transport, mode=mode, elicitation_callback=elicited) as client:
            await asyncio.wait_for(ask_for_everything(client), DEADLINE)


with Children() as children:
    proxy = children.proxy("proxy.0", {"kind": "http", "endpoint": sys.argv[-1]})
    asyncio.run(main(proxy))
