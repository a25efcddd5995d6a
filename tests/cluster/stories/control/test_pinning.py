"""Tools that change their definition: status holds the pins, a person approves."""

import hashlib
import http.server
import json
import os
import subprocess
import threading

import pytest
from support import AGENTKUBE, apply, condition, get, kubectl, namespace, until, until_condition

pytestmark = pytest.mark.usefixtures("operator")

# The admin port of data planes is fixed; this loopback address is nobody else's.
REPLICA = "127.0.0.39"


def digest(text):
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()


class Replica:
    """What a data plane answers on its admin port."""

    def __init__(self, ns, name):
        self.ns, self.name = ns, name
        self.tools = {}
        replica = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                body = json.dumps(replica.report()).encode()
                self.send_response(200)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer((REPLICA, 9090), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def plan(self):
        return get("cm", f"{self.name}-mcp", "-n", self.ns)["data"]["plan.json"]

    def report(self):
        """As a proxy reports: tools that the plan does not pin so."""
        plan = self.plan()
        pins = json.loads(plan)["upstreams"][0].get("pins", [{"tools": {}}])[0]["tools"]
        unpinned = [
            {"tool": tool, "digest": digest(text)}
            for tool, text in self.tools.items()
            if pins.get(tool) != digest(text)
        ]
        row = {"name": "github", "credentials": True, "reachable": True, "tools": len(self.tools),
               "unpinned": unpinned}
        return {"plan": {"digest": digest(plan)}, "upstreams": [row]}

    def stop(self):
        self.server.shutdown()
        self.server.server_close()


def pod(ns, labels):
    apply(json.dumps({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": "replica", "namespace": ns, "labels": labels},
        "spec": {"containers": [{"name": "proxy", "image": "none"}]},
    }))
    status = {"status": {"phase": "Running", "podIP": REPLICA, "podIPs": [{"ip": REPLICA}],
                         "conditions": [{"type": "Ready", "status": "True"}]}}
    kubectl("patch", "pod", "replica", "-n", ns, "--subresource=status", "--type=merge",
            "-p", json.dumps(status))


def tools(*arguments):
    done = subprocess.run([AGENTKUBE, "tools", *arguments], capture_output=True, text=True,
                          timeout=60, env=os.environ)
    return done.returncode, done.stdout + done.stderr


def status(ns):
    return get("mcp", "tools", "-n", ns).get("status", {})


def pinned(ns):
    rows = status(ns)["upstreams"][0].get("pins", [])
    return {row["tool"]: row["digest"] for row in rows}


def look(ns):
    """A change that makes the operator look at once."""
    now = get("mcp", "tools", "-n", ns)["metadata"]["resourceVersion"]
    kubectl("annotate", "mcp", "tools", "-n", ns, f"looked={now}", "--overwrite")


def test_a_drift_is_held_until_somebody_approves_it():
    with namespace("pins") as ns:
        apply(f"""
apiVersion: agentkube.io/v1alpha1
kind: MCP
metadata: {{name: tools, namespace: {ns}}}
spec:
  upstreams: [{{name: github, kind: http, endpoint: "http://github.example.com/mcp"}}]
  toolPinning: block
  auth: {{mode: none}}
""")
        labels = until("its Deployment", lambda: get("deploy", "tools-mcp", "-n", ns))
        labels = labels["spec"]["template"]["metadata"]["labels"]
        replica = Replica(ns, "tools")
        try:
            replica.tools = {"read": "reads", "write": "writes"}
            until("the default ServiceAccount", lambda: get("sa", "default", "-n", ns))
            pod(ns, labels)
            first = {"read": digest("reads"), "write": digest("writes")}
            until("the first sight is pinned", lambda: pinned(ns) == first)
            planned = lambda: json.loads(replica.plan())["upstreams"][0]["pins"][0]["tools"] == first
            until("and planned", planned)
            until_condition("mcp", ns, "tools", "ToolsPinned", "True")

            replica.tools = {"write": "writes, and sends", "new": "new"}
            look(ns)
            reason, message = until_condition("mcp", ns, "tools", "ToolsPinned", "False")
            assert reason == "ToolsDrifted"
            assert f"agentkube tools approve {ns}/tools new write" in message
            assert pinned(ns) == first, "also the pin of the tool that is away"
            columns = kubectl("get", "mcp", "tools", "-n", ns)
            assert "DRIFTED" in columns.splitlines()[0]
            until("an event", lambda: "ToolsDrifted" in kubectl("get", "events", "-n", ns))

            code, listed = tools("list", f"{ns}/tools")
            assert code == 0 and "write  github    changed" in listed, listed
            code, refused = tools("approve", f"{ns}/tools", "read")
            assert code == 1 and "these are not as pinned: new, write" in refused, refused
            code, approved = tools("approve", f"{ns}/tools", "write")
            assert code == 0 and f"approved write of github, mcp {ns}/tools" in approved, approved
            until("the approval", lambda: pinned(ns)["write"] == digest("writes, and sends"))
            until("the rest is told", lambda: "write" not in
                  condition("mcp", ns, "tools", "ToolsPinned")[2])

            kubectl("annotate", "mcp", "tools", "-n", ns, "--overwrite",
                    "agentkube.io/approve-tools=new")
            until_condition("mcp", ns, "tools", "ToolsPinned", "True")
            replica.tools["new"] = "newer"
            look(ns)
            until_condition("mcp", ns, "tools", "ToolsPinned", "False")
            assert status(ns)["approvedTools"] == ["new"], "a name approves once"
        finally:
            replica.stop()
