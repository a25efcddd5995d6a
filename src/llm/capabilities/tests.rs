use super::table::{EMBEDDED, matches};
use super::*;

fn of(provider: &str, model: &str) -> ModelCapabilities {
    CapabilityTable::embedded().of(provider, model)
}

#[test]
fn the_embedded_table_is_in_its_shape() {
    let table = CapabilityTable::parse(EMBEDDED).unwrap();
    assert!(table.models.len() > 10);
    assert!(CapabilityTable::parse(r#"{"version":"1","models":[{"nmaes":[]}]}"#).is_err());
}

#[test]
fn new_models_of_openai_take_the_new_name_and_no_sampling() {
    for model in ["gpt-5.1", "o3-mini", "gpt-5-nano"] {
        let found = of("openai", model);
        assert_eq!(found.max_tokens_field, MaxTokensField::MaxCompletionTokens);
        assert!(found.refuses(Parameter::Temperature), "{model}");
    }
    let older = of("openai", "gpt-4o");
    assert_eq!(older.max_tokens_field, MaxTokensField::MaxCompletionTokens);
    assert!(!older.refuses(Parameter::Temperature));
    assert!(older.refuses(Parameter::ReasoningEffort));
}

#[test]
fn compatible_servers_take_the_old_name_and_all_sampling() {
    let vllm = of("vllm", "Qwen/Qwen3-32B");
    assert_eq!(vllm.max_tokens_field, MaxTokensField::MaxTokens);
    assert!(!vllm.refuses(Parameter::TopK));
    assert_eq!(vllm.reasoning_field, ReasoningField::ReasoningContent);
    assert_eq!(
        of("ollama", "qwen3").reasoning_field,
        ReasoningField::Reasoning
    );
    assert_eq!(of("openai", "gpt-4o").reasoning_field, ReasoningField::None);
}

#[test]
fn opus_4_7_takes_neither_sampling_nor_a_budget() {
    for (provider, model) in [
        ("anthropic", "claude-opus-4-7"),
        ("bedrock", "eu.anthropic.claude-opus-4-7-v1:0"),
        ("vertex", "claude-opus-4-7@20260416"),
    ] {
        let found = of(provider, model);
        for parameter in [Parameter::Temperature, Parameter::TopP, Parameter::TopK] {
            assert!(found.refuses(parameter), "{model}");
        }
        assert_eq!(found.thinking, ThinkingStyle::Adaptive);
        assert!(found.takes_effort && found.json_schema && !found.prefill);
    }
}

#[test]
fn what_is_newer_than_the_table_is_taken_for_the_newest_in_it() {
    let claude = of("anthropic", "claude-opus-6-1");
    assert!(claude.refuses(Parameter::Temperature) && !claude.prefill);
    assert_eq!(claude.thinking, ThinkingStyle::AdaptiveByDefault);
    let gpt = of("openai", "gpt-6.1");
    assert_eq!(gpt.max_tokens_field, MaxTokensField::MaxCompletionTokens);
    assert!(gpt.refuses(Parameter::Temperature));
    assert!(!gpt.refuses(Parameter::ReasoningEffort));
    assert_eq!(gpt.nearest(Effort::XHigh), Effort::XHigh);
}

#[test]
fn what_is_older_keeps_its_rules() {
    for model in [
        "claude-3-7-sonnet-20250219",
        "claude-opus-4-20250514",
        "claude-haiku-4-5",
    ] {
        let claude = of("anthropic", model);
        assert!(!claude.refuses(Parameter::Temperature), "{model}");
        assert!(claude.prefill, "{model}");
        assert_eq!(claude.thinking, ThinkingStyle::Budget, "{model}");
    }
    // Since 4.6 no turn of the model is continued.
    for model in ["claude-opus-4-6", "claude-sonnet-4-6", "claude-opus-4-7"] {
        assert!(!of("anthropic", model).prefill, "{model}");
    }
    let oss = of("openai", "gpt-oss-120b");
    assert_eq!(oss.max_tokens_field, MaxTokensField::MaxTokens);
    assert!(!oss.refuses(Parameter::Temperature) && !oss.refuses(Parameter::ReasoningEffort));
}

#[test]
fn the_first_name_that_says_something_counts() {
    let table = CapabilityTable::embedded();
    for names in [
        ["prod-1", "gpt-4o"],
        ["gpt-4o", "smart"],
        // What the upstream calls it comes first.
        ["gpt-4o", "gpt-5.1"],
    ] {
        let found = table.of_first_known("azure-openai", &names);
        assert_eq!(found, of("azure-openai", "gpt-4o"), "{names:?}");
    }
    let arn = "arn:aws:bedrock:us-east-1:1:application-inference-profile/x1y2";
    let found = table.of_first_known("bedrock", &[arn, "claude-opus-4-7"]);
    assert_eq!(found, of("bedrock", "claude-opus-4-7"));
    let nobody = table.of_first_known("openai", &["a", "b"]);
    assert_eq!(nobody, of("openai", "a"));
}

#[test]
fn another_table_is_laid_over() {
    let over = r#"{"version":"ours","models":[
        {"names":["gpt-4o*"],"providers":["openai"],"refuses":["seed"]},
        {"names":["tuned-*"],"max_tokens_field":"max_completion_tokens"}]}"#;
    let mut table = CapabilityTable::embedded();
    table.lay_over(CapabilityTable::parse(over).unwrap());
    assert_eq!(table.version, "ours");
    let gpt = table.of("openai", "gpt-4o-mini");
    assert_eq!(gpt.refuses, [Parameter::Seed]);
    assert_eq!(gpt.max_tokens_field, MaxTokensField::MaxCompletionTokens);
    let tuned = table.of("vllm", "tuned-7");
    assert_eq!(tuned.max_tokens_field, MaxTokensField::MaxCompletionTokens);
    let opus = table.of("anthropic", "claude-opus-4-7");
    assert_eq!(opus, of("anthropic", "claude-opus-4-7"));
}

#[test]
fn every_claude_has_a_limit_of_output_to_ask_for() {
    assert_eq!(
        of("anthropic", "claude-3-5-haiku-20241022").default_max_tokens,
        Some(8192)
    );
    assert_eq!(
        of("anthropic", "claude-new-9").default_max_tokens,
        Some(32000)
    );
    assert_eq!(of("openai", "gpt-5.1").default_max_tokens, None);
}

#[test]
fn an_unknown_effort_goes_to_the_nearest_below() {
    let opus = of("anthropic", "claude-opus-4-5");
    assert_eq!(opus.nearest(Effort::Max), Effort::High);
    assert_eq!(opus.nearest(Effort::Minimal), Effort::Low);
    assert_eq!(opus.nearest(Effort::Medium), Effort::Medium);
    assert_eq!(of("vllm", "x").nearest(Effort::XHigh), Effort::High);
    let any = ModelCapabilities::default();
    assert_eq!(any.nearest(Effort::XHigh), Effort::XHigh);
}

#[test]
fn bedrock_has_fewer_features_than_its_models() {
    let claude = of("bedrock", "us.anthropic.claude-sonnet-4-5-20250929-v1:0");
    assert_eq!(claude.converse_extras, ConverseExtras::Anthropic);
    assert_eq!(claude.cache_points, CachePoints::Everywhere);
    assert!(claude.json_schema && claude.thinking == ThinkingStyle::Budget);
    let arn = "arn:aws:bedrock:us-east-1:1:inference-profile/global.anthropic.claude-opus-4-7-v1:0";
    assert_eq!(of("bedrock", arn).thinking, ThinkingStyle::Adaptive);
    assert!(!of("bedrock", "anthropic.claude-opus-4-5-20251101-v1:0").takes_effort);
    let nova = of("bedrock", "us.amazon.nova-pro-v1:0");
    assert_eq!(nova.thinking, ThinkingStyle::None);
    assert_eq!(nova.cache_points, CachePoints::Content);
    assert_ne!(
        of("bedrock", "us.amazon.nova-2-lite-v1:0").thinking,
        nova.thinking
    );
    let other = of("bedrock", "mistral.mistral-large-2407-v1:0");
    assert_eq!(other.converse_extras, ConverseExtras::None);
    assert!(!other.json_schema && other.cache_points == CachePoints::Nowhere);
}

#[test]
fn geminis_think_by_level_or_by_budget() {
    let gemini = of("vertex", "gemini-3-pro-preview");
    assert!(gemini.signed_calls && gemini.takes_effort && gemini.media_in_results);
    assert_eq!(gemini.nearest(Effort::Medium), Effort::Low);
    assert!(
        of("vertex", "gemini-4-pro").signed_calls,
        "the next one as well"
    );
    let flash = of("vertex", "gemini-2.5-flash");
    assert!(!flash.signed_calls && !flash.takes_effort);
    assert_eq!(flash.thinking, ThinkingStyle::Budget);
    assert_eq!(
        of("vertex", "gemini-2.5-pro").thinking,
        ThinkingStyle::Always
    );
    assert_eq!(
        of("vertex", "gemini-2.0-flash").thinking,
        ThinkingStyle::None
    );
    assert!(!of("vertex", "claude-opus-4-5").signed_calls);
}

#[test]
fn globs_have_stars_only() {
    for (glob, name, expected) in [
        ("gpt-5*", "gpt-5.1", true),
        ("gpt-5", "gpt-5.1", false),
        ("*claude*", "us.anthropic.claude-3", true),
        ("gpt-5*-chat*", "gpt-5.2-chat-latest", true),
        ("gpt-5*-chat*", "gpt-5.2", false),
        ("*", "", true),
        ("a*a", "a", false),
    ] {
        assert_eq!(matches(glob, name), expected, "{glob} {name}");
    }
}
