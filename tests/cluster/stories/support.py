"""What the stories share: kubectl, waiting with a deadline, the operator as a process."""

import contextlib
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import time
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[3]
CLUSTER = ROOT / "tests/cluster/cluster"
AGENTKUBE = os.environ.get("AGENTKUBE_BIN", "")
DEADLINE = float(os.environ.get("STORY_DEADLINE", "90"))


class KubectlError(AssertionError):
    """kubectl refused; `stderr` is what it printed."""

    def __init__(self, args, done):
        super().__init__(f"kubectl {' '.join(args)} → {done.returncode}\n{done.stderr}{done.stdout}")
        self.stderr = done.stderr


def kubectl_process(*args, stdin=None):
    """Runs the real kubectl and returns the finished process."""
    return subprocess.run(
        [CLUSTER, "kubectl", *args], input=stdin, capture_output=True, text=True, timeout=120,
    )


def kubectl(*args, stdin=None):
    """Runs the real kubectl; its standard output, or KubectlError."""
    done = kubectl_process(*args, stdin=stdin)
    if done.returncode != 0:
        raise KubectlError(args, done)
    return done.stdout


def get(*args):
    """`kubectl get … -o json`, parsed."""
    return json.loads(kubectl("get", *args, "-o", "json"))


def apply(text, *args):
    """Applies a manifest; standard error (warnings) and standard output."""
    done = kubectl_process("apply", "-f", "-", *args, stdin=text)
    if done.returncode != 0:
        raise KubectlError(("apply", *args), done)
    return done.stderr, done.stdout


def until(what, probe, deadline=None):
    """Polls until `probe` gives something true; fails with its last answer."""
    end = time.monotonic() + (deadline or DEADLINE)
    last = None
    while time.monotonic() < end:
        try:
            last = probe()
            if last:
                return last
        except (KubectlError, OSError, KeyError, subprocess.TimeoutExpired) as error:
            last = error
        time.sleep(0.2)  # between two looks, never instead of one
    raise AssertionError(f"not within {deadline or DEADLINE:.0f} s: {what}; last: {last}")


def condition(kind, namespace, name, condition_type):
    """(status, reason, message) of a condition, or None."""
    found = get(kind, name, "-n", namespace)
    for row in found.get("status", {}).get("conditions", []):
        if row["type"] == condition_type:
            return row["status"], row["reason"], row["message"]
    return None


def until_condition(kind, namespace, name, condition_type, status):
    """Waits for a condition; its reason and message."""

    def probe():
        found = condition(kind, namespace, name, condition_type)
        return found if found and found[0] == status else None

    return until(f"{kind} {namespace}/{name} {condition_type}={status}", probe)[1:]


def free_port():
    """A port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def http_get(url):
    """Status and body of a GET; 0 when nothing answers."""
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()
    except OSError as error:
        return 0, str(error)


def load_image(program):
    """Gives the node an image of a program of the test kit."""
    binary = pathlib.Path(os.environ["TESTKIT_UPSTREAM_BIN"]).with_name(program)
    built = subprocess.run([CLUSTER, "image", "build", f"{program}:dev", "--bin", binary],
                           check=True, capture_output=True, text=True)
    subprocess.run([CLUSTER, "image", "load", built.stdout.strip()], check=True)


def objects(namespaces=None):
    """Everything that the operator may write, but its Lease."""
    kinds = (
        "mcp,llmgw,ag,deploy,sts,svc,cm,sa,secret,pdb,netpol,pod,"
        "mutatingwebhookconfiguration,validatingwebhookconfiguration"
    )
    found = json.loads(kubectl("get", kinds, "-A", "-o", "json", "--show-managed-fields"))
    items = {
        (item["kind"], item["metadata"].get("namespace", ""), item["metadata"]["name"]): item
        for item in found["items"]
        # Kubernetes' own controllers publish these at their own pace.
        if item["metadata"]["name"] != "kube-root-ca.crt"
    }
    return {key: item for key, item in items.items() if namespaces is None or key[1] in namespaces}


def versions_of(items):
    """The resourceVersion of each object."""
    return {key: item["metadata"]["resourceVersion"] for key, item in items.items()}


def written_by_us(items):
    """The objects without what Kubernetes itself writes at its own pace: the
    status of its own kinds, and who else wrote when."""

    def ours(item):
        metadata = {key: value for key, value in item["metadata"].items() if key != "resourceVersion"}
        metadata["managedFields"] = [
            row for row in metadata.get("managedFields", []) if row["manager"].startswith("agentkube")
        ]
        kept = {**item, "metadata": metadata}
        if not item["apiVersion"].startswith("agentkube.io/"):
            kept.pop("status", None)
        return kept

    return {key: ours(item) for key, item in items.items()}


def versions():
    """The resourceVersion of everything that the operator may write."""
    return versions_of(objects())


@contextlib.contextmanager
def namespace(prefix, labels=""):
    """A namespace of its own for one test, deleted afterwards without waiting."""
    name = f"{prefix}-{os.getpid()}-{time.monotonic_ns() % 1_000_000}"
    kubectl("create", "namespace", name)
    if labels:
        kubectl("label", "namespace", name, *labels.split())
    try:
        yield name
    finally:
        kubectl_process("delete", "namespace", name, "--wait=false")


def plain(text):
    """Text without colour codes."""
    return re.sub(r"\x1b\[[0-9;]*m", "", text)


class Operator:
    """`agentkube operator` as a process of this test run."""

    def __init__(self, log, *extra):
        self.log = log
        self.extra = extra
        self.webhook = free_port()
        self.admin = free_port()
        self.process = None

    def start(self):
        environment = dict(os.environ, AGENTKUBE_LOG="info")
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                [
                    AGENTKUBE, "operator",
                    "--namespace", "agentkube-system",
                    "--webhook-listen", f"127.0.0.1:{self.webhook}",
                    "--webhook-url", f"https://127.0.0.1:{self.webhook}",
                    "--admin", f"127.0.0.1:{self.admin}",
                    *self.extra,
                ],
                env=environment, stdout=log, stderr=log,
            )
        until("the operator is ready", self.ready)
        return self

    def ready(self):
        if self.process.poll() is not None:
            raise AssertionError(f"the operator ended with {self.process.returncode}: see {self.log}")
        return http_get(f"http://127.0.0.1:{self.admin}/readyz")[0] == 200

    def metrics(self):
        return http_get(f"http://127.0.0.1:{self.admin}/metrics")[1]

    def stop(self, how=signal.SIGTERM):
        if self.process and self.process.poll() is None:
            self.process.send_signal(how)
            self.process.wait(timeout=30)
        return self.process.returncode if self.process else None
