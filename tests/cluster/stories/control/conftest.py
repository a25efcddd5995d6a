"""The operator as a process beside a real control plane."""

import pytest
from support import ROOT, Operator, apply, kubectl


@pytest.fixture(scope="session")
def crds():
    """The CustomResourceDefinitions, established."""
    kubectl("apply", "--server-side", "-f", str(ROOT / "crds/yaml"))
    kubectl("wait", "--for=condition=Established", "--timeout=60s", "-f", str(ROOT / "crds/yaml"))


@pytest.fixture(scope="session")
def operator(crds, tmp_path_factory):
    """One operator for all stories, its webhooks registered by loopback URL."""
    apply("apiVersion: v1\nkind: Namespace\nmetadata: {name: agentkube-system}\n")
    running = Operator(tmp_path_factory.mktemp("operator") / "operator.log").start()
    yield running
    running.stop()
