use super::*;

fn mk_served(dialect: Dialect) -> Served {
    Served::new(dialect, &ServedName::new("my \"model\""))
}

fn block(dialect: Dialect, block: &str) -> Option<String> {
    let event = Event::parse(block.as_bytes()).unwrap();
    let bytes = mk_served(dialect).block(block.as_bytes(), &event)?;
    Some(String::from_utf8(bytes.to_vec()).unwrap())
}

#[test]
fn only_the_name_is_exchanged() {
    let served = mk_served(Dialect::OpenAiChat);
    let body = r#"{ "choices":[{"message":{"content":"\"model\":\"x\""}, "model":"inner"}], "model" : "gpt-4o-2024-08-06" ,"x":1.50}"#;
    let answer = served.answer(Bytes::from_static(body.as_bytes()));
    let expected = body.replace("\"gpt-4o-2024-08-06\"", r#""my \"model\"""#);
    assert_eq!(answer, expected.as_bytes());
}

#[test]
fn a_name_that_is_right_costs_no_copy() {
    let served = Served::new(Dialect::OpenAiChat, &ServedName::new("fast"));
    let body = Bytes::from_static(br#"{"model":"fast","choices":[]}"#);
    assert_eq!(served.answer(body.clone()).as_ptr(), body.as_ptr());
}

#[test]
fn what_is_no_name_is_left_alone() {
    let served = mk_served(Dialect::OpenAiChat);
    for body in [
        r#"{"model":null}"#,
        r#"{"data":[]}"#,
        "{}",
        r#"{"model"#,
        "[]",
        "",
    ] {
        let body = Bytes::from_static(body.as_bytes());
        assert_eq!(served.answer(body.clone()), body);
    }
}

#[test]
fn the_beginning_of_an_answer_is_enough() {
    let served = Served::new(Dialect::OpenAiChat, &ServedName::new("fast"));
    let body = Bytes::from_static(br#"{"model":"slow","choices":[{"mess"#);
    assert_eq!(
        served.answer(body),
        br#"{"model":"fast","choices":[{"mess"#[..]
    );
}

#[test]
fn each_dialect_has_its_place_in_events() {
    let chunk = block(
        Dialect::OpenAiChat,
        "data: {\"model\":\"a\",\"choices\":[]}\r\n\r\n",
    );
    assert_eq!(
        chunk.as_deref(),
        Some("data: {\"model\":\"my \\\"model\\\"\",\"choices\":[]}\r\n\r\n")
    );
    let start = block(
        Dialect::AnthropicMessages,
        "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"m\",\"model\":\"a\"}}\n\n",
    );
    assert!(
        start
            .unwrap()
            .contains(r#""message":{"id":"m","model":"my \"model\""}"#)
    );
    let text =
        "event: content_block_delta\ndata: {\"delta\":{\"text\":\"model\"},\"model\":\"a\"}\n\n";
    assert_eq!(block(Dialect::AnthropicMessages, text), None);
    let created = block(
        Dialect::OpenAiResponses,
        "data: {\"type\":\"response.created\",\"response\":{\"model\":\"a\"}}\n\n",
    );
    assert!(
        created
            .unwrap()
            .contains(r#""response":{"model":"my \"model\""}"#)
    );
}

#[test]
fn an_event_in_several_lines_becomes_one() {
    let joined = block(
        Dialect::OpenAiChat,
        "event: x\ndata: {\"id\":1,\ndata: \"model\":\"a\"}\n\n",
    );
    assert_eq!(
        joined.as_deref(),
        Some("event: x\ndata: {\"id\":1, \"model\":\"my \\\"model\\\"\"}\n\n")
    );
}
