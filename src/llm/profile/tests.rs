use super::*;

#[test]
fn keys_travel_where_the_provider_looks() {
    let (name, value) = KeyHeader::Bearer.header("sk-1\n").unwrap();
    assert_eq!(
        (name.as_str(), value.to_str().unwrap()),
        ("authorization", "Bearer sk-1")
    );
    assert!(value.is_sensitive());
    let (name, value) = KeyHeader::XApiKey.header("sk-ant-api03-1").unwrap();
    assert_eq!(
        (name.as_str(), value.to_str().unwrap()),
        ("x-api-key", "sk-ant-api03-1")
    );
    assert!(value.is_sensitive());
}

#[test]
fn oauth_tokens_of_anthropic_are_bearers() {
    let (name, value) = KeyHeader::XApiKey.header("sk-ant-oat01-1").unwrap();
    assert_eq!(name, AUTHORIZATION);
    assert_eq!(value.to_str().unwrap(), "Bearer sk-ant-oat01-1");
}

#[test]
fn unusable_keys_are_refused_without_being_quoted() {
    assert_eq!(KeyHeader::Bearer.header(" \n"), Err(InvalidKey::Empty));
    for key in ["a\r\nx-evil: 1", "schlüssel", "a b"] {
        assert_eq!(KeyHeader::XApiKey.header(key), Err(InvalidKey::Unprintable));
    }
    assert!(!InvalidKey::Unprintable.to_string().contains("evil"));
}

#[test]
fn bedrock_has_the_model_in_its_paths() {
    let service = Profile::of("bedrock").unwrap();
    let service = service.service(Dialect::OpenAiChat, "m");
    let path = |action| service.path(action, "us.anthropic.claude-v1:0").unwrap();
    assert_eq!(
        path(Action::Stream).as_deref(),
        Some("/model/us.anthropic.claude-v1%3A0/converse-stream")
    );
    assert_eq!(
        path(Action::CountTokens).as_deref(),
        Some("/model/anthropic.claude-v1%3A0/count-tokens")
    );
    assert_eq!(foundation("eu.m"), "eu.m", "no region but a vendor");
}

#[test]
fn a_model_that_chat_does_not_have_is_asked_by_responses() {
    let service = |model| {
        Profile::of("openai")
            .unwrap()
            .service(Dialect::OpenAiChat, model)
    };
    for model in [
        "gpt-5.1-codex-mini",
        "o3-pro-2025-06-10",
        "codex-mini-latest",
    ] {
        assert_eq!(service(model).dialect, Dialect::OpenAiResponses, "{model}");
    }
    assert_eq!(service("gpt-5.1").dialect, Dialect::OpenAiChat);
    let own = Profile::of("openai").unwrap();
    let own = own.service(Dialect::OpenAiResponses, "gpt-5.1");
    assert_eq!(
        own.path(Action::Stream, "m").unwrap().as_deref(),
        Some("/responses")
    );
}

#[test]
fn a_client_keeps_its_dialect_where_the_provider_speaks_it() {
    let service = |provider, dialect| Profile::of(provider).unwrap().service(dialect, "m");
    for dialect in [Dialect::Gemini, Dialect::BedrockConverse] {
        let own = service("ollama", dialect).dialect;
        assert_eq!(own, Dialect::OllamaChat, "which does not cut prompts");
    }
    for provider in ["openai", "ollama", "vllm"] {
        let chat = service(provider, Dialect::OpenAiChat);
        assert_eq!(chat.dialect, Dialect::OpenAiChat);
    }
    let messages = service("openai", Dialect::AnthropicMessages);
    assert_eq!(messages.dialect, Dialect::OpenAiChat);
    let messages = service("vllm", Dialect::AnthropicMessages);
    assert_eq!(messages.dialect, Dialect::AnthropicMessages);
    let path = messages.path(Action::Stream, "m").unwrap();
    assert_eq!(path.as_deref(), Some("/messages"));
    let chat = service("anthropic", Dialect::OpenAiChat);
    assert_eq!(chat.dialect, Dialect::AnthropicMessages);
    assert_eq!(Profile::of("mainframe"), None);
}

#[test]
fn ollamas_own_api_is_beside_its_openai_wire() {
    let ollama = Profile::of("ollama").unwrap();
    let own = ollama.service(Dialect::OllamaChat, "m");
    assert_eq!(own.dialect, Dialect::OllamaChat);
    let path = own.path(Action::Stream, "m").unwrap();
    assert_eq!(path.as_deref(), Some("/api/chat"));
    for (base, root) in [
        ("http://gpu:11434/v1", "http://gpu:11434"),
        ("http://gpu:11434/team/v1", "http://gpu:11434/team"),
        ("http://gpu:11434", "http://gpu:11434"),
    ] {
        assert_eq!(own.base(base), root);
        let chat = ollama.service(Dialect::OpenAiChat, "m");
        assert_eq!(chat.base(base), base);
    }
}

#[test]
fn clients_of_other_wires_reach_models_that_think_with_tools_by_responses() {
    for provider in ["openai", "azure-openai"] {
        let profile = Profile::of(provider).unwrap();
        let wire = |client, model| profile.service(client, model).dialect;
        for model in ["gpt-5.4", "gpt-5.6-terra", "gpt-6"] {
            let asked = wire(Dialect::AnthropicMessages, model);
            assert_eq!(asked, Dialect::OpenAiResponses, "{provider} {model}");
            // Its own clients know what they ask for.
            assert_eq!(wire(Dialect::OpenAiChat, model), Dialect::OpenAiChat);
        }
        for model in ["gpt-5.1", "gpt-4o", "our deployment"] {
            let asked = wire(Dialect::AnthropicMessages, model);
            assert_eq!(asked, Dialect::OpenAiChat, "{provider} {model}");
        }
    }
    let vllm = Profile::of("vllm").unwrap();
    let asked = vllm.service(Dialect::BedrockConverse, "gpt-5.6");
    assert_eq!(asked.dialect, Dialect::OpenAiChat);
}
