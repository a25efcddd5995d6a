"""The processes of a test run, and a small HTTP client that is no SDK."""

import json
import os
import pathlib
import queue
import signal
import socket
import subprocess
import threading
import time
import urllib.error
import urllib.request
from http import client

# How long anything may take before the test fails; nothing takes this long.
DEADLINE = 30

NODE_MODULES = pathlib.Path(os.environ["SDK_NODE_MODULES"])


def node():
    """The node that came with the packages: the Inspector wants 22 or newer."""
    found = sorted(NODE_MODULES.glob("node-*/bin/node"))
    return found[0] if found else pathlib.Path("node")


def free_port():
    """A port that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Process:
    """A child whose standard output is read line by line, with a deadline."""

    def __init__(self, command, log, env=None, stdin=None):
        self.log = pathlib.Path(log)
        with self.log.open("w") as errors:
            self.child = subprocess.Popen(
                [str(part) for part in command],
                stdin=stdin,
                stdout=subprocess.PIPE,
                stderr=errors,
                env={**os.environ, **(env or {})},
                text=True,
            )
        self._lines = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        for line in self.child.stdout:
            self._lines.put(line.rstrip("\n"))
        self._lines.put(None)

    def line(self):
        """The next line of its output."""
        try:
            line = self._lines.get(timeout=DEADLINE)
        except queue.Empty:
            raise AssertionError(f"no output in {DEADLINE} s{self._tail()}") from None
        assert line is not None, f"it ended{self._tail()}"
        return line

    def stop(self):
        """SIGTERM, and the exit code."""
        self.child.send_signal(signal.SIGTERM)
        try:
            return self.child.wait(DEADLINE)
        except subprocess.TimeoutExpired:
            self.child.kill()
            raise AssertionError(f"it ignores SIGTERM{self._tail()}") from None

    def kill(self):
        """Ends it whatever it does."""
        if self.child.poll() is None:
            self.child.kill()
        self.child.wait()

    def _tail(self):
        return "; standard error:\n" + self.log.read_text()[-4000:]


class Upstream:
    """The scripted provider; the model name chooses what it does."""

    def __init__(self, folder, address="127.0.0.1:0"):
        self.process = Process(
            [os.environ["TESTKIT_UPSTREAM_BIN"], address],
            folder / "upstream.log",
            env={"AGENTKUBE_TESTKIT_STDIN": "1"},
            stdin=subprocess.PIPE,
        )
        self.url = json.loads(self.process.line())["url"]

    def requests(self, model):
        """Every request that it got for this model."""
        return http(f"{self.url}/__requests?model={model}").json()

    def request(self, model):
        """The one request that it got for this model."""
        found = self.requests(model)
        assert len(found) == 1, found
        return found[0]

    def outcome(self, model):
        """How its last answer to this model ended; waits for that."""
        return http(f"{self.url}/__outcome?model={model}").json().get("outcome", "still open")

    def await_gate(self, model):
        """Waits until the answer to this model is held at its gate."""
        assert http(f"{self.url}/__gates/{model}").status == 200

    def open_gate(self, model):
        """Lets the answer to this model go on."""
        assert http(f"{self.url}/__gates/{model}", method="POST").status == 200


class Everything:
    """npm's server-everything, a legacy MCP server with sessions, on all addresses; over
    streamable HTTP, or over the transport before it."""

    def __init__(self, folder, host="127.0.0.1", transport="streamableHttp"):
        program = NODE_MODULES / "@modelcontextprotocol/server-everything/dist/index.js"
        port = free_port()
        self.process = Process(
            [node(), program, transport],
            folder / f"everything-{transport}.log",
            env={"PORT": str(port)},
        )
        listening(port, self.process)
        path = {"sse": "/sse", "streamableHttp": "/mcp"}[transport]
        self.url = f"http://{host}:{port}{path}"


class Agentkube:
    """`agentkube run` over some manifests."""

    def __init__(self, folder, *paths, demo=False, env=None):
        command = [os.environ["AGENTKUBE_BIN"], "run", *paths, "-o", "json"]
        command += ["--state-dir", folder / "state", "--admin", f"127.0.0.1:{free_port()}"]
        self.process = Process(command + ["--demo"] * demo, folder / "agentkube.log", env)
        self.admin, self.objects = None, {}
        while True:
            line = json.loads(self.process.line())
            if line.get("ready"):
                break
            if "admin" in line:
                self.admin = line["admin"]
            elif "kind" in line:
                self.objects[line["kind"].lower(), line["name"]] = line

    def gateway(self, name):
        """The line of the LLMGateway of this name: url and key."""
        return self.objects["llmgateway", name]

    def mcp(self, name):
        """The line of the MCP of this name: url and key."""
        return self.objects["mcp", name]


class Answer:
    """Status, headers and body of an answer, errors included."""

    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    def json(self):
        """The body, or the one event of it, as JSON."""
        text = self.body.decode()
        if "event-stream" in self.headers.get("content-type", ""):
            text = "".join(
                line.removeprefix("data:") for line in text.splitlines() if line.startswith("data:")
            )
        return json.loads(text)


def http(url, body=None, headers=None, method=None):
    """One request; a dict is sent as JSON, bytes as they are."""
    data = json.dumps(body).encode() if isinstance(body, dict) else body
    headers = {"content-type": "application/json", **(headers or {})}
    request = urllib.request.Request(url, data, headers, method=method)
    try:
        answer = urllib.request.urlopen(request, timeout=DEADLINE)
    except urllib.error.HTTPError as error:
        answer = error
    with answer:
        try:
            return Answer(answer.status, answer.headers, answer.read())
        except client.IncompleteRead as cut:
            return Answer(answer.status, answer.headers, cut.partial)


def eventually(what, look, deadline=DEADLINE):
    """The first true result of `look()`, within the deadline."""
    end = time.monotonic() + deadline
    while time.monotonic() < end:
        if found := look():
            return found
        time.sleep(0.05)
    raise AssertionError(f"{what}: not after {deadline} s")


def listening(port, process, deadline=DEADLINE):
    """Waits until somebody listens there."""

    def connects():
        assert process.child.poll() is None, f"it ended{process._tail()}"
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    eventually(f"somebody listens on {port}", connects, deadline)
