"""Tools that are programs, in real Pods: whose child it is, where it lives, how it ends."""

import asyncio
import contextlib
import itertools
import json
import pathlib

import httpx2
import pytest
from mcp import types
from mcp.client import Client
from mcp.client.streamable_http import streamable_http_client
from pods import is_ready, metric, pods
from support import (DEADLINE, apply, kubectl, kubectl_process, load_image, until,
                     until_condition)

HERE = pathlib.Path(__file__).parent
URL = "http://programs-mcp.stdio:8080/mcp"
MCP = ("mcp", "stdio", "programs")
PROGRAM = "/usr/local/bin/agentkube-testkit-tools"
VERSION = {"mcp-protocol-version": "2025-11-25"}


@pytest.fixture(scope="module", autouse=True)
def programs(installed):
    """The objects of programs.yaml, ready."""
    load_image("agentkube-testkit-tools")
    apply((HERE / "programs.yaml").read_text())
    until_condition(*MCP, "Ready", "True")
    until("the Service answers", lambda: post(initialize()).status_code == 200)


class Raw:
    """A legacy client; each request is a connection of its own, to either replica."""

    def __init__(self, url=URL):
        self.url, self.ids, self.headers = url, itertools.count(1), dict(VERSION)
        opened = post(initialize(), url=url)
        assert opened.status_code == 200, opened.text
        self.headers["mcp-session-id"] = opened.headers["mcp-session-id"]
        assert post({"method": "notifications/initialized"}, self.headers, url).status_code == 202

    def call(self, tool, **arguments):
        params = {"name": tool, "arguments": arguments}
        message = {"id": next(self.ids), "method": "tools/call", "params": params}
        return post(message, self.headers, self.url)

    def text(self, tool, **arguments):
        answer = self.call(tool, **arguments)
        assert answer.status_code == 200, (answer.status_code, answer.text)
        return answer.json()["result"]["content"][0]["text"]

    def whoami(self):
        return json.loads(self.text("whoami"))

    def end(self):
        return httpx2.delete(self.url, headers=self.headers, timeout=DEADLINE).status_code


def initialize():
    params = {"protocolVersion": "2025-11-25", "capabilities": {},
              "clientInfo": {"name": "story", "version": "1"}}
    return {"id": 0, "method": "initialize", "params": params}


def post(message, headers=VERSION, url=URL):
    headers = {**headers, "accept": "application/json, text/event-stream"}
    return httpx2.post(url, json={"jsonrpc": "2.0", **message}, headers=headers, timeout=DEADLINE)


def pod_of(name):
    [found] = [pod for pod in pods(*MCP) if pod["metadata"]["name"] == name]
    return found


def inside(pod, *words):
    """Runs the program's own command beside it."""
    return kubectl("exec", "-n", "stdio", pod, "-c", "stdio-kit", "--", PROGRAM, *words)


def processes(pod):
    """(pid, parent, state, command) of its container, but our own look."""
    rows = [line.split(" ", 3) for line in inside(pod, "ps").splitlines()]
    return [row for row in rows if not row[3].strip().endswith(" ps")]


def servers(pod):
    """The ids of its children, ended or not."""
    return {int(row[0]) for row in processes(pod) if "shim" not in row[3]}


def settled():
    """Both Pods are ready, and no others."""
    found = pods(*MCP)
    return len(found) == 2 and all(map(is_ready, found)) and found


def talk(mode, story, **options):
    async def run():
        limits = httpx2.Limits(max_keepalive_connections=0)
        async with httpx2.AsyncClient(limits=limits, timeout=DEADLINE) as http:
            transport = streamable_http_client(URL, http_client=http)
            async with Client(transport, mode=mode, **options) as client:
                return await asyncio.wait_for(story(client), DEADLINE)

    return asyncio.run(run())


def texts(results):
    return [result.content[0].text for result in results]


def test_the_python_sdk_keeps_its_session_over_both_replicas():
    async def story(client):
        tools = {tool.name for tool in (await client.list_tools()).tools}
        assert {"count", "whoami"} <= tools
        return [await client.call_tool("count", {}) for _ in range(20)]

    assert texts(talk("legacy", story)) == [str(n) for n in range(1, 21)]
    handed_on = sum(metric(pod, "agentkube_requests_total", "relayed") for pod in pods(*MCP))
    assert handed_on > 0, "the Service chose the right Pod twenty times"


def test_a_modern_client_calls_whichever_replica_answers():
    async def story(client):
        return [await client.call_tool("whoami", {}) for _ in range(10)]

    hosts = {json.loads(text)["host"] for text in texts(talk("2026-07-28", story))}
    assert hosts <= {pod["metadata"]["name"] for pod in pods(*MCP)}


def test_a_question_and_its_answer_find_each_other():
    async def elicit(_, params):
        return types.ElicitResult(action="accept", content={"name": "Ada"})

    async def story(client):
        return [await client.call_tool("ask", {}) for _ in range(6)]

    assert texts(talk("legacy", story, elicitation_callback=elicit)) == ['"Ada"'] * 6


def test_a_program_runs_as_nobody_with_a_home_that_it_may_write():
    me = Raw().whoami()
    assert me["uid"] == "65532"
    assert me["home"] == "/home/agentkube"
    assert me["writes"] == {"home": True, "tmp": True, "root": False}
    [row] = [row for row in processes(me["host"]) if row[0] == "1"]
    assert "shim" in row[3], "our program is the first process, and reaps"


def test_the_end_of_a_session_leaves_no_process():
    session = Raw()
    me = session.whoami()
    lingering = int(session.text("linger"))
    assert {me["pid"], lingering} <= servers(me["host"])
    assert session.end() == 204
    until("they are gone, and not as zombies",
          lambda: not {me["pid"], lingering} & servers(me["host"]))
    assert session.call("count").status_code == 404


def test_a_child_that_dies_fails_its_call_and_the_session_gets_another():
    session = Raw()
    before = session.whoami()
    died = session.call("die")
    assert died.status_code == 200 and "error" in died.json(), died.text
    after = until("there is another child", lambda: revived(session))
    assert after["pid"] != before["pid"]
    assert after["host"] == before["host"], "where the session lives"


def revived(session):
    answer = session.call("whoami").json()
    return "result" in answer and json.loads(answer["result"]["content"][0]["text"])


def test_a_session_goes_with_its_pod_and_the_client_initialises_again():
    session = Raw()
    gone = session.whoami()["host"]
    kubectl("delete", "pod", gone, "-n", "stdio", "--force", "--grace-period=0")
    until("it is not there", lambda: gone not in {pod["metadata"]["name"] for pod in pods(*MCP)})
    until("404", lambda: session.call("count").status_code == 404)
    assert session.call("count").status_code == 404
    assert Raw().text("count") == "1"
    until("the other one is replaced", settled)


def test_a_call_outlives_the_deletion_of_its_pod():
    session = Raw()
    pod = session.whoami()["host"]
    with contextlib.ExitStack() as stack:
        client = stack.enter_context(httpx2.Client(timeout=DEADLINE))
        params = {"name": "wait", "arguments": {"gate": "leaving"}, "_meta": {"progressToken": 7}}
        message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
        headers = {**session.headers, "accept": "application/json, text/event-stream"}
        # To the Pod itself: what is told is the end of the Pod, not of a replica before it.
        url = f"http://{pod_of(pod)['status']['podIP']}:8080/mcp"
        answer = stack.enter_context(client.stream("POST", url, json=message, headers=headers))
        lines = answer.iter_lines()
        assert any("notifications/progress" in line for line in lines), "the call is under way"
        kubectl("delete", "pod", pod, "-n", "stdio", "--wait=false")
        until("it drains", lambda: kubectl_process(
            "get", "--raw", f"/api/v1/namespaces/stdio/pods/{pod}:9090/proxy/readyz").returncode != 0)
        inside(pod, "open", "leaving")
        assert any("opened" in line for line in lines), "the answer came all the same"
    until("it ends", lambda: kubectl_process("get", "pod", pod, "-n", "stdio").returncode != 0)
    until("the other one is replaced", settled)


def test_a_stubborn_program_ends_with_its_session():
    kubectl("patch", "mcp", "programs", "-n", "stdio", "--type=json", "-p", json.dumps([
        {"op": "add", "path": "/spec/upstreams/0/stdio/args", "value": ["--stubborn"]}]))
    stubborn = until("stubborn ones are served", lambda: started_stubborn())
    me = stubborn.whoami()
    stubborn.end()
    until("it was killed", lambda: me["pid"] not in servers(me["host"]))


def started_stubborn():
    found = settled()
    if not found or any("--stubborn" not in str(pod["spec"]) for pod in found):
        return None
    return Raw()


def test_a_program_that_cannot_start_hides_only_its_own_tools():
    broken = {"name": "broken", "kind": "stdio",
              "stdio": {"image": "agentkube-testkit-tools:dev", "command": ["/no/such/program"]}}
    kubectl("patch", "mcp", "programs", "-n", "stdio", "--type=json", "-p", json.dumps([
        {"op": "add", "path": "/spec/upstreams/-", "value": broken}]))

    def said():
        rows = json.loads(kubectl("get", "mcp", "programs", "-n", "stdio", "-o", "json"))
        rows = rows["status"].get("upstreams", [])
        return [row for row in rows if "cannot start the program" in row.get("message", "")]

    [row] = until("the status says so", said)
    assert row["name"] == "broken"
    until("the others are served", settled)
    names = {tool["name"] for tool in listed()}
    assert "kit__count" in names and not any(name.startswith("broken") for name in names)


def listed():
    return post({"id": 1, "method": "tools/list", "params": {}}).json()["result"]["tools"]
