"""Every official SDK against every provider: text, and a tool that is called and
answered, whole and streamed. What the clouds insist on is verified at their doors."""

import pytest

import clouds
import gemini
import manifests
from rig import Agentkube
from speakers import NAME, SPEAKERS, speaker
from test_clouds import azure, bedrock, ref, secret, vertex

TEXT = "Hello from the scripted upstream."
PARIS = [(NAME, {"city": "Paris"})]
GEMINI = "gemini-3-pro"
# What text and tools are asked of; Gemini calls whatever it is given.
PROVIDERS = {name: (f"plain-{name}", f"tools-{name}") for name in
             ["openai", "anthropic", "bedrock", "vertex", "azure", "ollama", "vllm"]}
PROVIDERS["gemini"] = (GEMINI, GEMINI)


@pytest.fixture(scope="module")
def cloud(upstream):
    cloud = clouds.Clouds(upstream.url)
    yield cloud
    cloud.close()


@pytest.fixture(scope="module")
def gateway(folder, upstream, cloud):
    def own(name, endpoint, reference):
        return {"name": name, "provider": name, "endpoint": endpoint, **reference}

    listed = [
        own("openai", f"{upstream.url}/v1", ref("openai", "key")),
        own("anthropic", upstream.url, ref("anthropic", "key")),
        bedrock("bedrock", cloud.url, ref("aws")),
        vertex("vertex", cloud.url, ref("google", "key.json")),
        azure("azure", cloud.url, ref("azure", "key")),
        own("ollama", upstream.url, {}),
        own("vllm", f"{upstream.url}/v1", {}),
    ]
    upstreams = [{**each, "models": list(PROVIDERS[each["name"]])} for each in listed]
    for each in upstreams:
        each.pop("modelNames", None)
        if each["name"] == "vertex":
            each["modelNames"] = {name: f"claude-{name}" for name in each["models"]}
    upstreams.append({**vertex(GEMINI, cloud.url, ref("google", "key.json")), "modelNames": {}})
    path = manifests.write(
        folder / "matrix.yaml",
        secret("openai", key=manifests.OPENAI_KEY),
        secret("anthropic", key=manifests.ANTHROPIC_KEY),
        secret("aws", AWS_ACCESS_KEY_ID="AKIDSTATIC", AWS_SECRET_ACCESS_KEY="static/secret+key"),
        secret("google", **{"key.json": cloud.service_account()}),
        secret("azure", key=clouds.AZURE_KEY),
        manifests.obj("LLMGateway", "matrix", {"upstreams": upstreams}),
    )
    own_folder = folder / "matrix"
    own_folder.mkdir()
    agentkube = Agentkube(own_folder, path)
    yield agentkube.gateway("matrix")
    assert agentkube.process.stop() == 0


streamed = pytest.mark.parametrize("streams", [False, True], ids=["whole", "streamed"])
providers = pytest.mark.parametrize("provider", PROVIDERS)
clients = pytest.mark.parametrize("client", SPEAKERS)


@clients
@providers
@streamed
def test_text_is_answered(gateway, cloud, client, provider, streams):
    cloud.refused.clear()
    with speaker(client, gateway) as one:
        said = one.text(PROVIDERS[provider][0], streams)
    assert said == ("".join(gemini.PIECES) if provider == "gemini" else TEXT), cloud.refused
    assert cloud.refused == []


@clients
@providers
@streamed
def test_a_tool_is_called_and_its_result_is_taken(gateway, cloud, client, provider, streams):
    cloud.refused.clear()
    plain, tools = PROVIDERS[provider]
    with speaker(client, gateway) as one:
        calls = one.calls(tools, streams)
        answer = one.answered(plain, streams)
    if provider == "gemini":
        assert calls == [(NAME, arguments) for arguments in gemini.CALLS]
        # Ollama's client gives back neither signatures nor ids that could carry them.
        expected = "2 answers, unsigned." if client == "ollama" else "2 answers."
        assert answer == expected, cloud.refused
    else:
        assert (calls, answer) == (PARIS, TEXT), cloud.refused
    assert cloud.refused == []
