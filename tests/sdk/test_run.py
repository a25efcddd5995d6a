"""`agentkube run` itself, with an SDK as the caller."""

import subprocess

import openai
import pytest

import manifests
from rig import Agentkube, eventually, http

MESSAGES = [{"role": "user", "content": "Hello?"}]


@pytest.fixture
def objects(tmp_path, upstream):
    """A file with one gateway and its Secrets, as a list to change and write."""

    def write(gateway):
        return manifests.write(
            tmp_path / "objects.yaml",
            manifests.secret("openai-key", api_key=manifests.OPENAI_KEY),
            manifests.secret("anthropic-key", api_key=manifests.ANTHROPIC_KEY),
            gateway,
        )

    gateway = manifests.models(upstream.url)
    return gateway, write(gateway), write


@pytest.fixture
def start(tmp_path):
    started = []

    def start(*paths):
        started.append(Agentkube(tmp_path, *paths))
        return started[-1]

    yield start
    for agentkube in started:
        agentkube.process.kill()


def connect(gateway):
    return openai.OpenAI(base_url=f"{gateway['url']}/v1", api_key=gateway["key"], max_retries=0)


def test_two_objects_of_one_port_both_start(tmp_path, upstream, start):
    first, second = manifests.models(upstream.url), manifests.keyless(upstream.url)
    second["spec"]["port"] = first["spec"]["port"]
    agentkube = start(manifests.write(tmp_path / "two.yaml", first, second))
    urls = {agentkube.gateway(name)["url"] for name in ("models", "keyless")}
    assert len(urls) == 2
    assert all(http(f"{url}/livez").status == 200 for url in urls)
    assert http(f"{agentkube.admin}/readyz").status == 200


def test_a_stream_under_way_is_finished_before_the_end(objects, start, upstream, model):
    _, path, _ = objects
    agentkube = start(path)
    name = model("gated-openai")
    with connect(agentkube.gateway("models")) as client:
        stream = iter(
            client.chat.completions.create(model=name, messages=MESSAGES, stream=True)
        )
        next(stream)
        upstream.await_gate(name)
        agentkube.process.child.terminate()
        with pytest.raises(subprocess.TimeoutExpired):
            agentkube.process.child.wait(0.5)
        upstream.open_gate(name)
        assert list(stream)[-1].choices[0].finish_reason == "stop"
    assert agentkube.process.child.wait(20) == 0


def test_a_changed_file_is_served_and_a_bad_one_is_not(objects, start):
    gateway, path, write = objects
    agentkube = start(path)
    with connect(agentkube.gateway("models")) as client:

        def answers(model):
            try:
                return client.chat.completions.create(model=model, messages=MESSAGES)
            except openai.NotFoundError:
                return None

        assert not answers("new-alias")
        gateway["spec"]["routing"]["modelMap"].append({"from": "new-alias", "to": "gpt-5.1"})
        write(gateway)
        eventually("the new alias", lambda: answers("new-alias"))
        path.write_text("kind: [")
        eventually("a word on the bad file", lambda: agentkube.process.log.read_text())
        assert answers("new-alias")


def test_a_denied_object_is_not_served(tmp_path, upstream):
    gateway = manifests.models(upstream.url)
    gateway["spec"]["routing"]["defaultModel"] = "gpt-5.l"
    path = manifests.write(tmp_path / "denied.yaml", gateway)
    with pytest.raises(AssertionError, match="it ended"):
        Agentkube(tmp_path, path)
