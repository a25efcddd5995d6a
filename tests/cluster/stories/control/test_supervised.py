"""An Agent that runs once. Nobody runs Pods here, so the story does: it starts what the
Pod says, at the address that it gives the Pod."""

import json
import signal
import subprocess

import pytest
from support import (AGENTKUBE, KubectlError, apply, condition, get, kubectl, namespace, until)
from test_reconcile import looked_at_everything, owned

pytestmark = pytest.mark.usefixtures("operator")

# All of 127/8 is this machine; the port is fixed, so the address is not the usual one.
POD_IP = "127.77.0.1"

AGENT = """
apiVersion: agentkube.io/v1alpha1
kind: Agent
metadata: {{name: errand, namespace: {ns}}}
spec:
  runtime: Custom
  image: example.com/agent:1
  paused: false
  goal: {{inline: "{goal}"}}
  command: [sh, -c, "exit 3"]
"""


def test_what_only_the_image_could_start_is_refused():
    with namespace("unknown") as name, pytest.raises(KubectlError) as refused:
        apply(AGENT.format(ns=name, goal="go").replace("  command:", "  args:"))
    assert "spec.command" in refused.value.stderr


def start(pod, folder):
    """Runs what the agent's container says, and tells the API server as a kubelet would."""
    container = pod["spec"]["containers"][0]
    words = container["command"]
    program = words[words.index("--") + 1:] + container.get("args", [])
    process = subprocess.Popen([
        AGENTKUBE, "supervise", "--listen", f"{POD_IP}:9092",
        "--result", folder / "termination-log", "--", *program,
    ])
    status = {
        "phase": "Running", "podIP": POD_IP, "podIPs": [{"ip": POD_IP}],
        "conditions": [{"type": "Ready", "status": "True"}],
    }
    kubectl("patch", "pod", pod["metadata"]["name"], "-n", pod["metadata"]["namespace"],
            "--subresource=status", "--type=merge", "-p", json.dumps({"status": status}))
    return process


def phase(ns):
    return get("ag", "errand", "-n", ns)["status"].get("phase")


def replicas(ns):
    return get("sts", "errand", "-n", ns)["spec"]["replicas"]


def test_a_run_is_kept_scaled_away_and_not_repeated(operator, tmp_path, capsys):
    with namespace("once") as name:
        apply(AGENT.format(ns=name, goal="go"))
        until("the StatefulSet", lambda: owned("statefulset", "errand", name))
        pod = until("its Pod", lambda: get("pod", "errand-0", "-n", name))
        [copy] = pod["spec"]["initContainers"]
        assert copy["args"] == ["install-self", "/copy/agentkube"]
        assert pod["spec"]["containers"][0]["command"][:2] == ["/agentkube/agentkube", "supervise"]

        process = start(pod, tmp_path)
        try:
            until("it failed", lambda: phase(name) == "Failed")
            until("it is scaled to 0", lambda: replicas(name) == 0)
        finally:
            process.send_signal(signal.SIGTERM)
            assert process.wait(timeout=30) == 0, "after the end it goes at once"
        result = get("ag", "errand", "-n", name)["status"]["result"]
        assert (result["generation"], result["exitCode"]) == (1, 3)
        assert condition("ag", name, "errand", "Ready")[1:] == (
            "Failed", "its program ended with exit code 3")
        assert json.loads((tmp_path / "termination-log").read_text())["exitCode"] == 3
        until("its Pod is gone", lambda: not get("pod", "-n", name)["items"])
        with capsys.disabled():
            print("\n" + kubectl("get", "ag,sts", "-n", name, "-o", "wide"))

        before = versions(name)
        operator.stop(signal.SIGKILL)
        operator.start()
        until("it has looked at everything", lambda: looked_at_everything(operator))
        assert versions(name) == before
        assert (phase(name), replicas(name)) == ("Failed", 0)

        apply(AGENT.format(ns=name, goal="go again"))
        until("a new generation runs again", lambda: replicas(name) == 1)
        until("it says so", lambda: phase(name) == "Pending")
        assert "result" not in get("ag", "errand", "-n", name)["status"]


def versions(ns):
    found = get("ag,sts,sa,pod", "-n", ns)["items"]
    return {(it["kind"], it["metadata"]["name"]): it["metadata"]["resourceVersion"] for it in found}
