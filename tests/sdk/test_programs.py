"""Real tool servers of npm and PyPI behind `agentkube run`: as programs on stdio, and over
HTTP where they have it.

Interpreters start slowly on a busy machine, and more slowly side by side. So every server
has an `agentkube run` of its own, one after the other, and what is waited for is that its
tools are known."""

import json
import os
import pathlib
import subprocess
import sys

import pytest

import manifests
from rig import NODE_MODULES, Agentkube, Process, eventually, free_port, http, listening, node
from test_mcp import inspect, names, talk

HERE = pathlib.Path(__file__).parent
SCOPE = NODE_MODULES / "@modelcontextprotocol"
# For an interpreter to start while others compile.
PATIENCE = 120
MODES = pytest.mark.parametrize("mode", ["legacy", "auto"])


def npm(name):
    return [node(), SCOPE / f"server-{name}/dist/index.js"]


def upstream(name, command, **env):
    stdio = {"command": [str(part) for part in command]}
    stdio["env"] = [{"name": key, "value": str(value)} for key, value in env.items()]
    return {"name": name, "kind": "stdio", "stdio": stdio}


class Served:
    """One MCP object behind `agentkube run`, its tools known."""

    def __init__(self, folder, *objects):
        self.folder = folder
        path = manifests.write(folder / "objects.yaml", *objects)
        self.agentkube = Agentkube(folder, path)
        try:
            eventually("the tools are known", self.known, PATIENCE)
        except BaseException as error:
            self.agentkube.process.kill()
            raise AssertionError(f"{error}{self.agentkube.process._tail()}") from error

    def known(self):
        told = http(f"{self.agentkube.admin}/digest").json()
        # With a single object it is that one's report.
        objects = [told] if "plan" in told else told.values()
        rows = [it.get("upstreams") for it in objects]
        return all(rows) and all("tools" in row for some in rows for row in some)

    def stop(self):
        """No process outlives it."""
        children = descendants(self.agentkube.process.child.pid)
        assert self.agentkube.process.stop() == 0
        assert not [pid for pid in children if pathlib.Path(f"/proc/{pid}").exists()]
        return children


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


def everything(folder):
    return upstream("s", npm("everything") + ["stdio"]), 12, "echo", {"message": "hi"}, "Echo: hi"


def memory(folder):
    return upstream("s", npm("memory"), MEMORY_FILE_PATH=folder / "memory.json"), 9, (
        "read_graph"), {}, "entities"


def filesystem(folder):
    (folder / "data").mkdir()
    file = folder / "data/hello.txt"
    file.write_text("hello from a file")
    return upstream("s", npm("filesystem") + [folder / "data"]), 14, (
        "read_text_file"), {"path": str(file)}, "hello from a file"


def thinking(folder):
    thought = {"thought": "so", "nextThoughtNeeded": False, "thoughtNumber": 1, "totalThoughts": 1}
    return upstream("s", npm("sequential-thinking")), 1, "sequentialthinking", thought, "thoughtNumber"


def time(folder):
    command = [sys.executable, "-m", "mcp_server_time"]
    return upstream("s", command), 2, "get_current_time", {"timezone": "UTC"}, "UTC"


def fastmcp(folder):
    """Its lists come two tools a page."""
    return upstream("s", [sys.executable, HERE / "paged_server.py"]), 5, "tool-4", {}, "4 of "


def fastmcp_http(folder):
    port = free_port()
    server = Process([sys.executable, HERE / "paged_server.py", str(port)], folder / "paged.log")
    listening(port, server, PATIENCE)
    row = {"name": "s", "kind": "http", "endpoint": f"http://127.0.0.1:{port}/mcp"}
    return row, 5, "tool-4", {}, "4 of ", server


SERVERS = [everything, memory, filesystem, thinking, time, fastmcp, fastmcp_http]


@pytest.fixture(scope="module", params=SERVERS, ids=lambda server: server.__name__)
def served(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp(request.param.__name__)
    row, count, tool, arguments, said, *process = request.param(folder)
    try:
        served = Served(folder, manifests.obj("MCP", "one", {"upstreams": [row]}))
        served.count, served.call, served.said = count, (tool, arguments), said
        yield served
        children = served.stop()
        assert process or children, "the program runs"
    finally:
        for it in process:
            it.kill()


@MODES
def test_all_its_tools_are_listed_and_one_is_called(served, mode):
    async def story(client):
        listed = await names(client)
        return listed, await client.call_tool(*served.call)

    listed, result = talk(served.agentkube.mcp("one"), mode, story, PATIENCE)
    # What server-everything offers depends on what its client can do.
    assert len(listed) == served.count or len(listed) > served.count == 12
    assert not result.is_error
    assert served.said in result.content[0].text


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    """Two programs in one MCP, and another MCP that offers some of its tools."""
    folder = tmp_path_factory.mktemp("both")
    file = folder / "memory.json"
    rows = [
        upstream("memory", npm("memory"), MEMORY_FILE_PATH=file),
        upstream("thinking", npm("sequential-thinking")),
    ]
    reference = {"name": "all", "kind": "mcpRef", "mcpRef": {"name": "both"}}
    reference["tools"] = {"mode": "allow", "allow": ["memory__*"]}
    served = Served(
        folder,
        manifests.obj("MCP", "both", {"upstreams": rows}),
        manifests.obj("MCP", "some", {"upstreams": [reference]}),
    )
    yield served
    served.stop()


def test_the_tools_of_two_programs_are_one_list_and_an_mcp_refers_to_some(both):
    of_both = talk(both.agentkube.mcp("both"), "auto", names, PATIENCE)
    assert len(of_both) == 10 and "thinking__sequentialthinking" in of_both
    of_some = talk(both.agentkube.mcp("some"), "auto", names, PATIENCE)
    assert of_some == of_both - {"thinking__sequentialthinking"}


def test_tools_are_passed_on_as_the_program_wrote_them(both):
    """`execution`, which typed relays drop, and the order of members."""
    proxy = both.agentkube.mcp("both")
    headers = {"authorization": f"Bearer {proxy['key']}",
               "accept": "application/json, text/event-stream"}
    message = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}}
    listed = http(proxy["url"], message, headers).json()["result"]["tools"]
    through = {it["name"]: it for it in listed}
    direct = direct_list(both.folder, message)
    assert any("execution" in it for it in direct)
    for tool in direct:
        relayed = through[f"memory__{tool['name']}"]
        assert {**relayed, "name": tool["name"]} == tool
        assert list(relayed) == list(tool), "members keep their order"


def direct_list(folder, message):
    said = [
        {"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": {
            "protocolVersion": "2025-11-25", "capabilities": {},
            "clientInfo": {"name": "test", "version": "1"}}},
        {"jsonrpc": "2.0", "method": "notifications/initialized"},
        message,
    ]
    env = {**os.environ, "MEMORY_FILE_PATH": str(folder / "direct.json")}
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    command = [str(part) for part in npm("memory")]
    with subprocess.Popen(command, text=True, env=env, **pipes) as server:
        for line in said:
            server.stdin.write(json.dumps(line) + "\n")
        server.stdin.flush()
        answers = [json.loads(server.stdout.readline()) for _ in range(2)]
        server.kill()
    return answers[1]["result"]["tools"]


def test_the_inspector_lists_and_calls(both):
    proxy = both.agentkube.mcp("both")
    listed = inspect(proxy, "--method", "tools/list")
    assert listed.returncode == 0, listed.stderr
    assert len(json.loads(listed.stdout)["tools"]) == 10
    called = inspect(proxy, "--method", "tools/call", "--tool-name", "memory__read_graph")
    assert called.returncode == 0, called.stderr
    assert "entities" in json.loads(called.stdout)["content"][0]["text"]
