"""The processes of a conformance run, and what stands between them."""

import json
import os
import pathlib
import socket
import subprocess
import tempfile
import time
import urllib.request

DEADLINE = 30


def free_port():
    """A port that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def listening(port, child):
    """Waits until somebody listens there."""
    end = time.monotonic() + DEADLINE
    while time.monotonic() < end:
        assert child.poll() is None, f"{child.args} ended"
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.02)
    raise AssertionError(f"nobody listens on {port}")


def program(version):
    """The Go SDK's conformance server of this version."""
    return pathlib.Path(os.environ["CONFORMANCE_SERVERS"]) / version / "everything-server"


class Children:
    """Every process that was started; they end with the block."""

    def __init__(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="conformance-"))
        self.running = []
        self.admins = {}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for child in self.running:
            child.kill()
            child.wait()

    def start(self, name, command, **options):
        log = (self.folder / f"{name}.log").open("w")
        child = subprocess.Popen([str(part) for part in command], stderr=log, **options)
        self.running.append(child)
        return child

    def server(self, name, version, stateless):
        """The Go SDK's conformance server."""
        port = free_port()
        command = [program(version), "-http", f"127.0.0.1:{port}"]
        if version != "v1.6.1":
            command.append(f"-stateless={str(stateless).lower()}")
        listening(port, self.start(name, command, stdout=subprocess.DEVNULL))
        return f"http://127.0.0.1:{port}/mcp"

    def proxy(self, name, upstream):
        """`agentkube run` in front of it."""
        manifest = {
            "apiVersion": "agentkube.io/v1alpha1",
            "kind": "MCP",
            "metadata": {"name": "tools", "namespace": "default"},
            "spec": {
                "port": free_port(),
                "auth": {"mode": "none"},
                "upstreams": [{"name": "server", **upstream}],
            },
        }
        path = self.folder / f"{name}.yaml"
        path.write_text(json.dumps(manifest))
        # Replicas share the state directory, and with it the key of the sessions.
        state = self.folder / f"state-{name.split('.')[0]}"
        admin = self.admins[name] = f"127.0.0.1:{free_port()}"
        command = [os.environ["AGENTKUBE_BIN"], "run", path, "-o", "json"]
        command += ["--state-dir", state, "--admin", admin]
        child = self.start(name, command, stdout=subprocess.PIPE, text=True)
        url = None
        for line in child.stdout:
            line = json.loads(line)
            url = line.get("url", url) if line.get("kind") else url
            if line.get("ready"):
                return url
        raise AssertionError(f"{name} did not start; see {self.folder}")

    def pods(self, name, upstream, count):
        """`agentkube mcp-proxy` as the Pods of one MCP run it: with the plan that
        `agentkube run` makes, each knowing itself and where the others are told."""
        self.proxy(name, upstream)
        relays = [f"127.0.0.1:{free_port()}" for _ in range(count)]
        with urllib.request.urlopen(f"http://{self.admins[name]}/plan") as answer:
            [plan] = json.load(answer).values()
        folder = self.folder / f"plan-{name}"
        files = {
            "plan/plan.json": json.dumps({**plan, "alone": False, "peers": relays}),
            f"secrets/{plan['sessionKeys']['current']['name']}/current": "a key of both of them",
        }
        for file, text in files.items():
            path = folder / file
            path.parent.mkdir(parents=True)
            path.write_text(text)
        return [self.pod(f"{name}.{number}", folder, at) for number, at in enumerate(relays)]

    def pod(self, name, folder, relay):
        """One of them."""
        listen, admin = (f"127.0.0.1:{free_port()}" for _ in range(2))
        command = [os.environ["AGENTKUBE_BIN"], "mcp-proxy", "--plan", folder, "--listen", listen]
        command += ["--admin", admin, "--relay", relay, "--pod-ip", "127.0.0.1", "--pod-uid", name]
        child = self.start(name, command, stdout=subprocess.DEVNULL)
        listening(int(listen.split(":")[1]), child)
        return f"http://{listen}/mcp"
