"""Tools that are programs, under `agentkube run`: many clients, few processes, none left."""

import asyncio
import contextvars
import json
import os
import pathlib

import httpx2
import manifests
import pytest
from rig import DEADLINE, Agentkube, eventually

SESSIONS, AT_ONCE, MOST = 1_000, 64, 16
PROGRAM = pathlib.Path(os.environ["TESTKIT_UPSTREAM_BIN"]).with_name("agentkube-testkit-tools")
URL = contextvars.ContextVar("url")
HEADERS = {"accept": "application/json, text/event-stream", "mcp-protocol-version": "2025-11-25"}


@pytest.fixture
def programs(tmp_path):
    """An MCP over a program that cannot be started a seventeenth time at once."""
    command = [str(PROGRAM), "--slots", str(MOST), str(tmp_path)]
    upstream = {"name": "kit", "kind": "stdio", "stdio": {"command": command}}
    spec = {"auth": {"mode": "none"}, "upstreams": [upstream]}
    path = manifests.write(tmp_path / "objects.yaml", manifests.obj("MCP", "programs", spec))
    agentkube = Agentkube(tmp_path, path)
    yield agentkube
    agentkube.process.kill()


def processes(folder):
    """The command lines of the program's processes, whoever started them."""
    found = []
    for path in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = path.read_text()
        except OSError:
            continue
        if PROGRAM.name in line and str(folder) in line:
            found.append(line)
    return found


async def post(client, session, message):
    headers = {**HEADERS, **session}
    return await client.post(URL.get(), json={"jsonrpc": "2.0", **message}, headers=headers)


async def visit(client):
    """One client: it opens a session, calls a tool twice and stays away without a word."""
    params = {"protocolVersion": "2025-11-25", "capabilities": {}}
    opened = await post(client, {}, {"id": 0, "method": "initialize", "params": params})
    assert opened.status_code == 200, opened.text
    session = {"mcp-session-id": opened.headers["mcp-session-id"]}
    ready = await post(client, session, {"method": "notifications/initialized"})
    assert ready.status_code == 202
    for number in (1, 2):
        call = {"id": number, "method": "tools/call", "params": {"name": "whoami"}}
        answer = await post(client, session, call)
        assert answer.status_code == 200 and "result" in answer.json(), answer.text
    return session, json.loads(answer.json()["result"]["content"][0]["text"])["pid"]


def test_a_thousand_sessions_never_hold_many_processes_and_leave_none(programs, tmp_path):
    async def story():
        gate = asyncio.Semaphore(AT_ONCE)
        URL.set(programs.mcp("programs")["url"])
        async with httpx2.AsyncClient(timeout=DEADLINE) as client:

            async def one():
                async with gate:
                    return await visit(client)

            visits = await asyncio.gather(*(one() for _ in range(SESSIONS)))
            # The first of them is still good; it gets another process.
            call = {"id": 3, "method": "tools/call", "params": {"name": "count"}}
            answer = await post(client, visits[0][0], call)
            assert answer.json()["result"]["content"][0]["text"] == "1", answer.text
            return {pid for _, pid in visits}

    pids = asyncio.run(story())
    assert len(pids) > SESSIONS // 2, "each had a process of its own"
    assert not (tmp_path / "over").exists(), f"more than {MOST} at once"
    assert 0 < len(processes(tmp_path)) <= MOST
    assert programs.process.stop() == 0
    eventually("no process is left", lambda: not processes(tmp_path))
