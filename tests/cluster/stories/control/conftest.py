"""The operator as a process beside a real control plane."""

import os
import pathlib

import pytest
from support import ROOT, Operator, apply, kubectl


@pytest.fixture(scope="session")
def crds():
    """The CustomResourceDefinitions, established."""
    kubectl("apply", "--server-side", "-f", str(ROOT / "crds/yaml"))
    kubectl("wait", "--for=condition=Established", "--timeout=60s", "-f", str(ROOT / "crds/yaml"))


@pytest.fixture(scope="session")
def operator(crds):
    """One operator for all stories, its webhooks registered by loopback URL."""
    apply("apiVersion: v1\nkind: Namespace\nmetadata: {name: agentkube-system}\n")
    running = Operator(pathlib.Path(os.environ["STORY_LOGS"]) / "operator.log")
    try:
        yield running.start()
    finally:
        running.stop()
