"""Bedrock, Vertex AI and Azure OpenAI, by Secret and by workload identity: the
doors verify what the clouds would, and the SDKs must not notice."""

import json

import anthropic
import openai
import pytest
from google import genai

import clouds
import gemini
import manifests
from rig import Agentkube, http

TEXT = "Hello from the scripted upstream."
MESSAGES = [{"role": "user", "content": "Hello?"}]


def secret(name, **entries):
    document = manifests.secret(name)
    document["stringData"] = entries
    return document


def bedrock(name, url, reference, endpoint="/aws"):
    upstream = {"name": name, "provider": "bedrock", "region": clouds.REGION,
                "endpoint": url + endpoint, "models": [name]}
    # Characters that are encoded once in the path and twice in the signature.
    upstream["modelNames"] = {name: f"eu.anthropic.{name}-v1:0"}
    return {**upstream, **reference}


def vertex(name, url, reference):
    return {"name": name, "provider": "vertex", "project": "project", "location": "eu",
            "endpoint": f"{url}/vertex", "models": [name],
            "modelNames": {name: f"claude-{name}@20260115"}, **reference}


def azure(name, url, reference):
    return {"name": name, "provider": "azure-openai", "endpoint": f"{url}/azure",
            "models": [name], "modelNames": {name: f"deployed-{name}"}, **reference}


# Served names, and what the clouds call them.
EMBEDDERS = {
    "titan": "amazon.titan-embed-text-v2:0",
    "cohere": "eu.cohere.embed-v4:0",
    "text-embedding-005": "text-embedding-005",
    "gemini-embedding-2": "gemini-embedding-2",
}


def embeds(name, own, url):
    made = vertex(name, url, ref("google", "key.json"))
    if name in ("titan", "cohere"):
        made = bedrock(name, url, ref("aws"))
    return {**made, "modelNames": {name: own}}


def ref(name, key=None):
    return {"credentialsRef": {"name": name, **({"key": key} if key else {})}}


@pytest.fixture(scope="module")
def cloud(upstream):
    cloud = clouds.Clouds(upstream.url)
    yield cloud
    cloud.close()


@pytest.fixture(scope="module")
def platform(folder):
    """The files that a platform puts into its pods."""
    token, pod = folder / "platform-token", folder / "pod-token"
    token.write_text(clouds.PLATFORM_TOKEN)
    pod.write_text(clouds.POD_TOKEN)
    return token, pod


@pytest.fixture(scope="module")
def gateways(folder, cloud, platform):
    """One process for each way in which a pod may have an identity."""
    token, pod = platform
    adc = folder / "adc.json"
    adc.write_text(cloud.external_account(token))
    upstreams = [
        bedrock("bedrock-keys", cloud.url, ref("aws")),
        bedrock("bedrock-bearer", cloud.url, ref("aws", "bearer")),
        bedrock("bedrock-workload", cloud.url, {}),
        vertex("vertex-key", cloud.url, ref("google", "key.json")),
        vertex("vertex-external", cloud.url, ref("google", "external.json")),
        vertex("vertex-workload", cloud.url, {}),
        {**vertex("gemini-3-pro", cloud.url, ref("google", "key.json")),
         "modelNames": {"gemini-3-pro": "gemini-3-pro-preview"}},
        vertex("vertex-person", cloud.url, ref("google", "person.json")),
        *(embeds(name, own, cloud.url) for name, own in EMBEDDERS.items()),
        azure("azure-key", cloud.url, ref("azure", "key")),
        azure("azure-legacy", cloud.url, {**ref("azure", "key"), "apiVersion": "2024-10-21"}),
        azure("azure-workload", cloud.url, {}),
        azure("azure-wrong", cloud.url, ref("azure", "wrong")),
        bedrock("bedrock-wrong", cloud.url, ref("aws-wrong")),
    ]
    path = manifests.write(
        folder / "clouds.yaml",
        secret("aws", AWS_ACCESS_KEY_ID="AKIDSTATIC", AWS_SECRET_ACCESS_KEY="static/secret+key",
               bearer=clouds.BEDROCK_KEY),
        secret("aws-wrong", AWS_ACCESS_KEY_ID="AKIDSTATIC", AWS_SECRET_ACCESS_KEY="wrong-secret"),
        secret("google", **{"key.json": cloud.service_account(),
                            "external.json": cloud.external_account(token),
                            "person.json": cloud.authorized_user()}),
        secret("azure", key=clouds.AZURE_KEY, wrong="azure-wrong-key"),
        manifests.obj("LLMGateway", "clouds", {"upstreams": upstreams}),
    )
    web = {
        "AWS_WEB_IDENTITY_TOKEN_FILE": str(token), "AWS_ROLE_ARN": clouds.ROLE,
        "AWS_ENDPOINT_URL_STS": f"{cloud.url}/sts",
        "AZURE_TENANT_ID": clouds.TENANT, "AZURE_CLIENT_ID": clouds.CLIENT,
        "AZURE_FEDERATED_TOKEN_FILE": str(token), "AZURE_AUTHORITY_HOST": cloud.url,
        "GCE_METADATA_HOST": cloud.host,
    }
    agent = {
        "AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{cloud.url}/pod-identity/v1/credentials",
        "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": str(pod),
        "GOOGLE_APPLICATION_CREDENTIALS": str(adc),
    }
    none = {"GCE_METADATA_HOST": "127.0.0.1:1"}
    started = {}
    for name, env in {"web": web, "agent": agent, "none": none}.items():
        own = folder / f"clouds-{name}"
        own.mkdir()
        started[name] = Agentkube(own, path, env=env)
    yield {name: one.gateway("clouds") for name, one in started.items()}
    for one in started.values():
        assert one.process.stop() == 0
        log = one.process.log.read_text()
        for value in ["static/secret+key", clouds.PLATFORM_TOKEN, clouds.POD_TOKEN,
                      clouds.AZURE_KEY, clouds.BEDROCK_KEY, clouds.REFRESH_TOKEN,
                      "session-of-", "-token-of-"]:
            assert value not in log


def chat(gateway, model, **options):
    client = openai.OpenAI(
        base_url=f"{gateway['url']}/v1", api_key=gateway["key"], max_retries=0
    )
    with client:
        answer = client.chat.completions.create(model=model, messages=MESSAGES, **options)
        if not options.get("stream"):
            return answer.choices[0].message.content
        return "".join(c.delta.content or "" for chunk in answer for c in chunk.choices)


WAYS = [
    ("web", "bedrock-keys"), ("web", "bedrock-bearer"), ("web", "bedrock-workload"),
    ("agent", "bedrock-workload"), ("web", "vertex-key"), ("web", "vertex-external"),
    ("web", "vertex-workload"), ("agent", "vertex-workload"), ("web", "vertex-person"),
    ("web", "azure-key"),
    ("web", "azure-legacy"), ("web", "azure-workload"),
]


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("process,model", WAYS)
def test_openais_sdk_reaches_every_cloud(gateways, cloud, process, model, stream):
    cloud.refused.clear()
    assert chat(gateways[process], model, stream=stream) == TEXT, cloud.refused
    assert cloud.refused == []


@pytest.mark.parametrize("model", ["bedrock-keys", "vertex-key", "azure-key"])
def test_anthropics_sdk_reaches_every_cloud(gateways, model):
    gateway = gateways["web"]
    with anthropic.Anthropic(
        base_url=gateway["url"], auth_token=gateway["key"], api_key=None, max_retries=0
    ) as client:
        answer = client.messages.create(model=model, max_tokens=50, messages=MESSAGES)
        assert answer.content[0].text == TEXT


def test_anthropics_sdk_counts_the_tokens_of_claude_on_vertex(gateways):
    gateway = gateways["web"]
    with anthropic.Anthropic(
        base_url=gateway["url"], auth_token=gateway["key"], api_key=None, max_retries=0
    ) as client:
        count = client.messages.count_tokens(model="vertex-key", messages=MESSAGES)
        assert count.input_tokens == 11


@pytest.mark.parametrize("model,door", [
    ("bedrock-workload", "/sts"), ("vertex-key", "/google/token"),
    ("azure-workload", f"/{clouds.TENANT}/oauth2"), ("vertex-workload", "/computeMetadata/"),
])
def test_a_token_is_asked_for_once(gateways, cloud, model, door):
    for _ in range(3):
        chat(gateways["web"], model)
    assert cloud.times(door) == 1


@pytest.mark.parametrize("model,named", [
    ("azure-wrong", 'Secret "azure", key "wrong"'),
    ("bedrock-wrong", 'Secret "aws-wrong", key "AWS_SECRET_ACCESS_KEY"'),
])
def test_a_refused_secret_is_named_and_not_quoted(gateways, model, named):
    gateway = gateways["web"]
    answer = http(f"{gateway['url']}/v1/chat/completions", {"model": model, "messages": MESSAGES},
                  {"authorization": f"Bearer {gateway['key']}"})
    assert answer.status == 502
    message = answer.json()["error"]["message"]
    assert named in message and model in message
    for value in ["azure-wrong-key", "wrong-secret", "AWS4-HMAC", "Credential="]:
        assert value not in answer.body.decode()


@pytest.mark.parametrize("model,lacks", [
    ("bedrock-workload", "AWS_WEB_IDENTITY_TOKEN_FILE"),
    ("vertex-workload", "no token from 127.0.0.1"),
    ("azure-workload", "AZURE_TENANT_ID"),
])
def test_a_pod_without_an_identity_is_told_what_it_lacks(gateways, model, lacks):
    gateway = gateways["none"]
    answer = http(f"{gateway['url']}/v1/chat/completions", {"model": model, "messages": MESSAGES},
                  {"authorization": f"Bearer {gateway['key']}"})
    assert answer.status == 502
    message = answer.json()["error"]["message"]
    assert lacks in message and "write credentialsRef" in message
    # The others are well.
    assert chat(gateway, "azure-key") == TEXT


WEATHER = {"type": "object", "properties": {"city": {"type": "string"}}}


@pytest.fixture
def google(gateways):
    gateway = gateways["web"]
    options = genai.types.HttpOptions(base_url=gateway["url"])
    return genai.Client(api_key=gateway["key"], http_options=options)


def test_googles_sdk_passes_to_gemini(google, cloud):
    cloud.refused.clear()
    answer = google.models.generate_content(model="gemini-3-pro", contents="Hello?")
    assert answer.text == "".join(gemini.PIECES), cloud.refused
    assert answer.model_version == "gemini-3-pro", "the name that is served"
    assert answer.usage_metadata.total_token_count == 18
    stream = google.models.generate_content_stream(model="gemini-3-pro", contents="Hello?")
    assert [chunk.text for chunk in stream] == gemini.PIECES
    assert google.models.count_tokens(model="gemini-3-pro", contents="Hello?").total_tokens == 11


@pytest.mark.parametrize("stream", [False, True])
def test_openais_sdk_carries_the_signatures_of_gemini(gateways, cloud, stream):
    """Gemini 3 refuses a call that comes back without what it was signed with, and
    this client sends back nothing but the calls."""
    cloud.refused.clear()
    gateway = gateways["web"]
    tools = [{"type": "function", "function": {"name": "get_weather", "parameters": WEATHER}}]
    with openai.OpenAI(
        base_url=f"{gateway['url']}/v1", api_key=gateway["key"], max_retries=0
    ) as client:
        asked = {"model": "gemini-3-pro", "tools": tools}
        if stream:
            with client.chat.completions.stream(messages=MESSAGES, **asked) as events:
                for _ in events:
                    pass
                said = events.get_final_completion().choices[0].message
        else:
            said = client.chat.completions.create(messages=MESSAGES, **asked).choices[0].message
        calls = [
            {"id": call.id, "type": "function",
             "function": {"name": call.function.name, "arguments": call.function.arguments}}
            for call in said.tool_calls
        ]
        assert [json.loads(call["function"]["arguments"]) for call in calls] == gemini.CALLS
        results = [{"role": "tool", "tool_call_id": call["id"], "content": "18"} for call in calls]
        turns = [*MESSAGES, {"role": "assistant", "tool_calls": calls}, *results]
        answer = client.chat.completions.create(messages=turns, **asked)
    assert answer.choices[0].message.content == "2 answers.", cloud.refused
    assert cloud.refused == []


def test_anthropics_sdk_carries_the_signatures_of_gemini(gateways, cloud):
    cloud.refused.clear()
    gateway = gateways["web"]
    tools = [{"name": "get_weather", "input_schema": WEATHER}]
    with anthropic.Anthropic(
        base_url=gateway["url"], auth_token=gateway["key"], api_key=None, max_retries=0
    ) as client:
        asked = {"model": "gemini-3-pro", "max_tokens": 100, "tools": tools}
        said = client.messages.create(messages=MESSAGES, **asked)
        results = [
            {"type": "tool_result", "tool_use_id": block.id, "content": "18"}
            for block in said.content if block.type == "tool_use"
        ]
        turns = [*MESSAGES, {"role": "assistant", "content": said.content},
                 {"role": "user", "content": results}]
        answer = client.messages.create(messages=turns, **asked)
    assert answer.content[0].text == "2 answers.", cloud.refused
    assert cloud.refused == []


@pytest.mark.parametrize("model", EMBEDDERS)
def test_openais_sdk_embeds_on_every_cloud(gateways, cloud, model):
    cloud.refused.clear()
    gateway = gateways["web"]
    texts = ["Hello", "Hi"]
    if model == "titan":
        texts = texts[:1]  # the model takes one
    with openai.OpenAI(
        base_url=f"{gateway['url']}/v1", api_key=gateway["key"], max_retries=0
    ) as client:
        # Asks for base64, and unpacks it.
        answer = client.embeddings.create(model=model, input=texts, dimensions=256)
        assert [item.embedding for item in answer.data] == [
            [float(len(text)), -0.5] for text in texts
        ], cloud.refused
        assert answer.usage.prompt_tokens == sum(map(len, texts))
        assert answer.model == model
        plain = client.embeddings.create(model=model, input=texts[0], encoding_format="float")
        assert plain.data[0].embedding == [5.0, -0.5]
    assert cloud.refused == []


@pytest.mark.parametrize("model", EMBEDDERS)
def test_googles_sdk_embeds_on_every_cloud(google, cloud, model):
    cloud.refused.clear()
    config = genai.types.EmbedContentConfig(task_type="RETRIEVAL_QUERY")
    answer = google.models.embed_content(model=model, contents=["Hello"], config=config)
    assert answer.embeddings[0].values == [5.0, -0.5], cloud.refused
    assert cloud.refused == []


def test_more_texts_than_a_model_takes_is_a_400_that_says_so(google):
    with pytest.raises(genai.errors.ClientError) as error:
        google.models.embed_content(model="titan", contents=["Hello", "Hi"])
    assert error.value.code == 400
    assert "`requests` must be at most 1 texts" in error.value.message
