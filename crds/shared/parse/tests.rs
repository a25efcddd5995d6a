use super::*;

fn duration(text: &str) -> Option<Duration> {
    DurationText::from(text).parse(&FieldPath::spec()).ok()
}

#[test]
fn durations_are_read_as_kubernetes_writes_them() {
    assert_eq!(duration("300ms"), Some(Duration::from_millis(300)));
    assert_eq!(duration("10m"), Some(Duration::from_secs(600)));
    assert_eq!(
        duration("1h30m5s7ms"),
        Some(Duration::from_millis(5_405_007))
    );
    assert_eq!(
        duration("99999h99999h99999h99999h").map(|it| it.as_secs()),
        Some(1_439_985_600)
    );
}

#[test]
fn what_is_no_duration_or_none_at_all_is_refused() {
    for text in [
        "",
        "5",
        "s",
        "1.5s",
        "-5s",
        "5 s",
        "5d",
        "0s",
        "100000s",
        "1s1s1s1s1s",
        "5us",
    ] {
        assert_eq!(duration(text), None, "{text}");
    }
}

fn quantity(text: &str) -> Option<u64> {
    Quantity::from(text).parse(&FieldPath::spec()).ok()
}

#[test]
fn quantities_are_rounded_up() {
    assert_eq!(quantity("64Mi"), Some(64 << 20));
    assert_eq!(quantity("1.5Gi"), Some(3 << 29));
    assert_eq!(quantity("500m"), Some(1));
    assert_eq!(quantity("2k"), Some(2000));
    assert_eq!(quantity("1e3"), Some(1000));
    assert_eq!(quantity("1E"), Some(1_000_000_000_000_000_000));
    assert_eq!(quantity("12E-1"), Some(2));
    assert_eq!(quantity(".5"), Some(1));
    assert_eq!(quantity("1n"), Some(1));
    assert_eq!(quantity("0"), Some(0));
    assert_eq!(quantity("1e-99"), Some(1));
}

#[test]
fn what_is_no_quantity_or_too_large_is_refused() {
    for text in [
        "",
        "Mi",
        "-1",
        "1 Mi",
        "1MiB",
        "1e",
        "20E",
        "99999999999999999999999999999999",
    ] {
        assert_eq!(quantity(text), None, "{text}");
    }
}

#[test]
fn a_failed_read_names_the_field_as_kubernetes_does() {
    let raw = serde_json::json!({"metadata": {}, "spec": {
        "upstreams": [{"name": "a", "provider": "openai", "priority": "first"}],
    }});
    let error = read::<crate::LLMGateway>(Kind::LLMGateway, &raw).unwrap_err();
    assert_eq!(error.field, "spec.upstreams[0].priority");
    let raw = serde_json::json!({"metadata": {}, "spec": {
        "upstreams": [], "prices": {"gpt-5.1": {"input": 1, "output": 1.5}},
    }});
    let error = read::<crate::LLMGateway>(Kind::LLMGateway, &raw).unwrap_err();
    assert_eq!(error.field, "spec.prices[gpt-5.1].output");
}
