use proptest::prelude::*;

use super::*;

const MODERN_PARAMS: &str = r#"{"name":"github__x","arguments":{"n":1.0},"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{"elicitation":{}},"io.modelcontextprotocol/clientInfo":{"name":"c"},"io.modelcontextprotocol/logLevel":"debug","progressToken":"p","traceparent":"00"}}"#;

fn rewrite() -> Rewrite<'static> {
    Rewrite {
        own: false,
        state: None,
        named: Some(("name", Cow::Borrowed("x"))),
        reference: None,
        progress_token: Some("7"),
    }
}

fn route(client: Era, upstream: Era, method: Method) -> Route<'static> {
    Route {
        client,
        upstream,
        method,
        server_info: r#"{"name":"agentkube"}"#,
    }
}

#[test]
fn a_legacy_upstream_gets_no_modern_meta() {
    let params = Object::parse(MODERN_PARAMS).unwrap();
    assert_eq!(
        legacy_params(Some(&params), &rewrite()).unwrap(),
        r#"{"name":"x","arguments":{"n":1.0},"_meta":{"progressToken":7,"traceparent":"00"}}"#
    );
    assert_eq!(legacy_params(None, &rewrite()), None);
}

#[test]
fn meta_that_was_only_modern_is_gone_altogether() {
    let text = r#"{"a":1,"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}}"#;
    let params = Object::parse(text).unwrap();
    assert_eq!(
        legacy_params(Some(&params), &Rewrite::default()).unwrap(),
        r#"{"a":1}"#
    );
}

#[test]
fn urls_that_must_be_visited_are_asked_of_clients_that_can() {
    let error = r#"{"code":-32042,"message":"m","data":{"elicitations":[{"mode":"url","elicitationId":"e","url":"https://a","message":"Sign in"}]}}"#;
    let able = r#"{"elicitation":{"url":{}}}"#;
    assert_eq!(
        urls_required(error, able).unwrap(),
        r#"{"resultType":"input_required","inputRequests":{"url-0":{"method":"elicitation/create","params":{"mode":"url","url":"https://a","message":"Sign in"}}}}"#
    );
    assert_eq!(urls_required(error, r#"{"elicitation":{}}"#), None);
    assert_eq!(
        urls_required(r#"{"code":-32602,"message":"m"}"#, able),
        None
    );
    let asked = question(
        r#"{"method":"elicitation/create","params":{"mode":"url"}}"#,
        "\"7\"",
    );
    assert!(asked.unwrap().contains(r#""elicitationId":"7""#));
}

fn speaker(info: &str) -> Speaker<'_> {
    Speaker {
        version: Version::LATEST,
        info,
        capabilities: "{}",
    }
}

#[test]
fn a_result_that_needs_input_is_kept_for_whoever_gives_it() {
    let result = r#"{"resultType":"input_required","inputRequests":{"a":{"method":"roots/list"}},"requestState":"s"}"#;
    let route = Route {
        client: Era::Legacy,
        upstream: Era::Modern,
        method: Method::ToolCall,
        server_info: "{}",
    };
    assert_eq!(result_for(result, route), result);
    let required = InputRequired::read(result).unwrap();
    let (key, request) = &required.requests[0];
    assert_eq!(
        question(request, "7").unwrap(),
        r#"{"method":"roots/list","jsonrpc":"2.0","id":7}"#
    );
    let call = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"x"}}"#;
    let given = [(key.clone(), r#"{"roots":[]}"#.to_owned())].into();
    assert_eq!(
        with_input(call, &required, &given),
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"x","inputResponses":{"a":{"roots":[]}},"requestState":"s"}}"#
    );
    assert_eq!(InputRequired::read(r#"{"resultType":"complete"}"#), None);
}

#[test]
fn a_modern_upstream_sees_the_capabilities_of_the_client_and_no_more() {
    let params = Object::parse(MODERN_PARAMS).unwrap();
    let text = modern_params(Some(&params), &rewrite(), speaker("{}"));
    assert_eq!(
        text,
        MODERN_PARAMS
            .replace("github__x", "x")
            .replace("\"p\"", "7")
    );
    let text = modern_params(
        None,
        &Rewrite::default(),
        speaker(r#"{"name":"agentkube"}"#),
    );
    assert_eq!(
        text,
        r#"{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{},"io.modelcontextprotocol/clientInfo":{"name":"agentkube"}}}"#
    );
}

#[test]
fn a_call_in_a_shared_session_is_no_task() {
    let params = Object::parse(r#"{"name":"x","task":{"ttl":1}}"#).unwrap();
    assert_eq!(
        legacy_params(Some(&params), &rewrite()).unwrap(),
        r#"{"name":"x"}"#
    );
}

#[test]
fn a_token_is_not_invented() {
    let params = Object::parse(r#"{"_meta":{"k":1}}"#).unwrap();
    assert_eq!(
        legacy_params(Some(&params), &rewrite()).unwrap(),
        r#"{"_meta":{"k":1},"name":"x"}"#
    );
}

#[test]
fn a_legacy_result_becomes_a_modern_one() {
    let route = route(Era::Modern, Era::Legacy, Method::ResourceRead);
    let text = result_for(r#"{"contents":[ 1.0 ]}"#, route);
    assert_eq!(
        text,
        r#"{"contents":[ 1.0 ],"resultType":"complete","ttlMs":0,"cacheScope":"private","_meta":{"io.modelcontextprotocol/serverInfo":{"name":"agentkube"}}}"#
    );
}

#[test]
fn a_modern_result_becomes_a_legacy_one() {
    let route = route(Era::Legacy, Era::Modern, Method::ToolCall);
    let text = r#"{"resultType":"complete","content":[],"structuredContent":[1],"ttlMs":3,"_meta":{"io.modelcontextprotocol/serverInfo":{}}}"#;
    assert_eq!(result_for(text, route), r#"{"content":[]}"#);
}

#[test]
fn an_input_request_is_relayed_as_it_is() {
    let route = route(Era::Modern, Era::Modern, Method::ResourceRead);
    let text = r#"{"resultType":"input_required","inputRequests":{"a":{}},"requestState":"s"}"#;
    let relayed = result_for(text, route);
    assert!(relayed.starts_with(text.trim_end_matches('}')), "{relayed}");
    assert!(!relayed.contains("ttlMs"));
}

#[test]
fn codes_of_the_other_era_are_translated() {
    let not_found = r#"{"code":-32002,"message":"m","data":{"uri":"u"}}"#;
    let (text, status) = error_for(not_found, Era::Modern);
    assert_eq!(
        (text.as_ref(), status.as_u16()),
        (&*not_found.replace("-32002", "-32602"), 200)
    );
    assert_eq!(error_for(not_found, Era::Legacy).0, not_found);
    let unknown = r#"{"code":-32601,"message":"m"}"#;
    assert_eq!(error_for(unknown, Era::Modern).1.as_u16(), 404);
    assert_eq!(error_for(unknown, Era::Legacy).1.as_u16(), 200);
    let capability = r#"{"code":-32021,"message":"m"}"#;
    assert_eq!(error_for(capability, Era::Modern).1.as_u16(), 400);
    assert!(error_for(capability, Era::Legacy).0.contains("-32603"));
}

proptest! {
    #[test]
    fn a_legacy_result_reaches_a_legacy_client_byte_for_byte(
        spaces in "[ \n]{0,3}", number in "-?[1-9][0-9]{0,20}(\\.[0-9]{1,20})?(e\\+?[0-9])?", key in "[a-zA-Z_]{1,8}",
    ) {
        let text = format!("{{{spaces}\"{key}\":{spaces}{number},\"resultType\":1}}");
        prop_assert_eq!(&result_for(&text, route(Era::Legacy, Era::Legacy, Method::ToolCall)), &text);
    }

    #[test]
    fn to_modern_and_back_is_the_same_bytes(
        number in "-?[1-9][0-9]{0,20}(\\.[0-9]{1,20})?", key in "[a-z]{1,8}", text in "[a-z \"\\\\é]{0,8}",
    ) {
        let text = format!("{{\"{key}\": {number}, \"content\":[{}]}}", json::quote(&text));
        let modern = result_for(&text, route(Era::Modern, Era::Legacy, Method::ToolCall));
        let back = result_for(&modern, route(Era::Legacy, Era::Modern, Method::ToolCall));
        prop_assert_eq!(&back, &text);
    }
}

#[test]
fn a_wish_for_input_is_seen_in_every_spelling_and_most_else_is_not_read() {
    assert!(InputRequired::may_be_in(
        r#"{"resultType":"input_required"}"#
    ));
    assert!(InputRequired::may_be_in(
        r#"{"resultType":"input\u005frequired"}"#
    ));
    assert!(!InputRequired::may_be_in(
        r#"{"content":[{"text":"a\nb"}]}"#
    ));
}
