"""Pods as the cluster shows them."""

import base64
import hashlib
import json

from support import get, http_get, kubectl

LABELS = {"llmgw": "agentkube.io/llmgateway", "mcp": "agentkube.io/mcp", "ag": "agentkube.io/agent"}
SUFFIXES = {"llmgw": "llm", "mcp": "mcp"}


def pods(kind, namespace, name):
    """The Pods of an object, but those that are going."""
    found = get("pod", "-n", namespace, "-l", f"{LABELS[kind]}={name}")["items"]
    return [pod for pod in found if "deletionTimestamp" not in pod["metadata"]]


def uids(kind, namespace, name):
    """Which Pods they are, and how often their containers were started again."""
    return {
        pod["metadata"]["uid"]: pod["status"]["containerStatuses"][0]["restartCount"]
        for pod in pods(kind, namespace, name)
    }


def is_ready(pod):
    """What the kubelet says."""
    rows = pod["status"].get("conditions", [])
    return any(row["type"] == "Ready" and row["status"] == "True" for row in rows)


def digest(pod):
    """What a data plane says that it serves, through the API server's proxy."""
    meta = pod["metadata"]
    path = f"/api/v1/namespaces/{meta['namespace']}/pods/{meta['name']}:9090/proxy/digest"
    return json.loads(kubectl("get", "--raw", path))


def metric(pod, name, label=""):
    """The sum of a metric over the label values of which one is `label`."""
    _, text = http_get(f"http://{pod['status']['podIP']}:9090/metrics")
    lines = [line for line in text.splitlines() if line.startswith(name + "{")]
    lines = [line for line in lines if not label or f'="{label}"' in line]
    return sum(float(line.rsplit(" ", 1)[1]) for line in lines)


def programmed(kind, namespace, name):
    """Whether Programmed is said of the present generation.

    It fails when that is said while a ready replica serves another plan.
    """
    found = get(kind, name, "-n", namespace)
    rows = {row["type"]: row for row in found.get("status", {}).get("conditions", [])}
    row = rows.get("Programmed", {"status": "False"})
    if row["status"] != "True" or row["observedGeneration"] != found["metadata"]["generation"]:
        return False
    plan = get("cm", f"{name}-{SUFFIXES[kind]}", "-n", namespace)["data"]["plan.json"]
    wanted = "sha256:" + hashlib.sha256(plan.encode()).hexdigest()
    serving = {digest(pod)["plan"]["digest"] for pod in pods(kind, namespace, name) if is_ready(pod)}
    assert serving == {wanted}, "Programmed is said of a plan that is not served everywhere"
    return True


def environment(pod):
    """The variables of its first container, those from Secrets too."""

    def value(row):
        if "valueFrom" not in row:
            return row.get("value", "")
        reference = row["valueFrom"]["secretKeyRef"]
        secret = get("secret", reference["name"], "-n", pod["metadata"]["namespace"])
        return base64.b64decode(secret["data"][reference["key"]]).decode()

    return {row["name"]: value(row) for row in pod["spec"]["containers"][0]["env"]}
