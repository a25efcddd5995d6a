"""Real tool servers of npm and PyPI as programs, in one MCP object, and the MCP
that offers its tools."""

import json
import os
import pathlib
import subprocess
import sys

import pytest

import manifests
from rig import NODE_MODULES, Agentkube, Process, eventually, free_port, http, listening, node
from test_mcp import MODES, inspect, names, talk

HERE = pathlib.Path(__file__).parent
SCOPE = NODE_MODULES / "@modelcontextprotocol"
# What each of them offers when it is asked directly, by a client without capabilities.
TOOLS = {"memory": 9, "files": 14, "thinking": 1, "time": 2, "paged": 5, "http": 5}


def program(name, *command, **env):
    stdio = {"command": [str(part) for part in command]}
    stdio["env"] = [{"name": key, "value": str(value)} for key, value in env.items()]
    return {"name": name, "kind": "stdio", "stdio": stdio}


@pytest.fixture(scope="module")
def programs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("programs")
    (folder / "data").mkdir()
    (folder / "data/hello.txt").write_text("hello from a file")
    port = free_port()
    paged = Process([sys.executable, HERE / "paged_server.py", str(port)], folder / "paged.log")
    listening(port, paged)
    server = lambda name: SCOPE / f"server-{name}/dist/index.js"
    upstreams = [
        program("everything", node(), server("everything"), "stdio"),
        program("memory", node(), server("memory"), MEMORY_FILE_PATH=folder / "memory.json"),
        program("files", node(), server("filesystem"), folder / "data"),
        program("thinking", node(), server("sequential-thinking")),
        program("time", sys.executable, "-m", "mcp_server_time"),
        program("paged", sys.executable, HERE / "paged_server.py"),
        program("broken", "/nowhere/at-all"),
        {"name": "http", "kind": "http", "endpoint": f"http://127.0.0.1:{port}/mcp"},
    ]
    few = [it for it in upstreams if it["name"] in ("memory", "time")]
    reference = {"name": "all", "kind": "mcpRef", "mcpRef": {"name": "few"}}
    reference["tools"] = {"mode": "allow", "allow": ["memory__*", "time__get_current_time"]}
    path = manifests.write(
        folder / "objects.yaml",
        manifests.obj("MCP", "programs", {"upstreams": upstreams}),
        manifests.obj("MCP", "few", {"upstreams": few}),
        manifests.obj("MCP", "some", {"upstreams": [reference]}),
    )
    agentkube = Agentkube(folder, path)

    def ready():
        objects = http(f"{agentkube.admin}/digest").json().values()
        rows = [row for it in objects for row in it["upstreams"]]
        return all("tools" in row for row in rows if not row["name"].endswith("broken"))

    # A dozen interpreters start at once here, on whatever machine this is.
    for _ in range(3):
        try:
            eventually("all programs are known", ready)
            break
        except AssertionError:
            pass
    assert ready(), agentkube.process._tail()
    agentkube.folder = folder
    yield agentkube
    children = descendants(agentkube.process.child.pid)
    assert children, "the programs run"
    assert agentkube.process.stop() == 0
    assert not [pid for pid in children if pathlib.Path(f"/proc/{pid}").exists()]
    paged.kill()


def descendants(pid):
    """The processes below this one, where Linux tells."""
    found, parents = [], {}
    for stat in pathlib.Path("/proc").glob("[0-9]*/stat"):
        try:
            child, rest = stat.read_text().split(" ", 1)
        except OSError:
            continue
        parents.setdefault(int(rest.rsplit(")", 1)[1].split()[1]), []).append(int(child))
    waiting = [pid]
    while waiting:
        below = parents.get(waiting.pop(), [])
        found += below
        waiting += below
    return found


def count(listed):
    counts = {}
    for name in listed:
        upstream = name.split("__", 1)[0]
        counts[upstream] = counts.get(upstream, 0) + 1
    return counts


@MODES
def test_all_tools_of_all_pages_of_all_servers_are_listed(programs, mode):
    counts = count(talk(programs.mcp("programs"), mode, names))
    assert counts.pop("everything") >= 10
    assert counts == TOOLS, "and the one that does not start hides only its own"


@MODES
def test_programs_answer_calls(programs, mode):
    async def story(client):
        echo = await client.call_tool("everything__echo", {"message": "on stdio"})
        file = programs.folder / "data/hello.txt"
        read = await client.call_tool("files__read_text_file", {"path": str(file)})
        now = await client.call_tool("time__get_current_time", {"timezone": "UTC"})
        paged = await client.call_tool("paged__tool-4", {})
        return [it.content[0].text for it in (echo, read, now, paged)]

    echo, read, now, paged = talk(programs.mcp("programs"), mode, story)
    assert echo == "Echo: on stdio"
    assert read == "hello from a file"
    assert json.loads(now)["timezone"] == "UTC"
    assert paged.startswith("4 of ")


def test_an_mcp_that_refers_to_it_offers_what_it_lets_through(programs):
    listed = talk(programs.mcp("some"), "auto", names)
    assert count(listed) == {"memory": 9, "time": 1}


def test_tools_are_passed_on_as_the_program_wrote_them(programs):
    """`execution`, which typed relays drop, and the order of members."""
    proxy = programs.mcp("programs")
    headers = {"authorization": f"Bearer {proxy['key']}",
               "accept": "application/json, text/event-stream"}
    message = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}}
    through = {it["name"]: it for it in http(proxy["url"], message, headers).json()["result"]["tools"]}
    said = [
        {"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": {
            "protocolVersion": "2025-11-25", "capabilities": {},
            "clientInfo": {"name": "test", "version": "1"}}},
        {"jsonrpc": "2.0", "method": "notifications/initialized"},
        {**message, "id": 1},
    ]
    done = subprocess.Popen([node(), SCOPE / "server-memory/dist/index.js"], stdin=subprocess.PIPE,
                            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
                            env={**os.environ, "MEMORY_FILE_PATH": str(programs.folder / "m.json")})
    for line in said:
        done.stdin.write(json.dumps(line) + "\n")
    done.stdin.flush()
    answers = [json.loads(done.stdout.readline()) for _ in range(2)]
    done.kill()
    done.wait()
    direct = answers[1]["result"]["tools"]
    assert any("execution" in it for it in direct)
    for tool in direct:
        relayed = through[f"memory__{tool['name']}"]
        assert {**relayed, "name": tool["name"]} == tool
        assert list(relayed) == list(tool), "members keep their order"


def test_sessions_have_processes_of_their_own_and_give_them_back(programs):
    proxy = programs.mcp("programs")

    async def story(client):
        return (await client.call_tool("paged__tool-0", {})).content[0].text

    answers = {talk(proxy, "legacy", story) for _ in range(20)}
    assert len(answers) == 20, "no two sessions met one process"
    most = 16 * 6 + 8
    assert len(descendants(programs.process.child.pid)) <= most


def test_the_inspector_lists_and_calls(programs):
    proxy = programs.mcp("programs")
    listed = inspect(proxy, "--method", "tools/list")
    assert listed.returncode == 0, listed.stderr
    counts = count(it["name"] for it in json.loads(listed.stdout)["tools"])
    assert counts["files"] == TOOLS["files"] and counts["http"] == TOOLS["http"]
    arguments = ["--tool-name", "everything__get-sum", "--tool-arg", "a=2", "b=3"]
    called = inspect(proxy, "--method", "tools/call", *arguments)
    assert called.returncode == 0, called.stderr
    assert "5" in json.loads(called.stdout)["content"][0]["text"]
