//! Lists of tools, prompts, resources and templates: split into items whose
//! text stays as the upstream wrote it, and put together again.

use std::borrow::Cow;

use crate::json::{self, Object};
use crate::method::ListKind;

/// One page of an upstream's list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<'a> {
    /// The items that can be named.
    pub items: Vec<Item<'a>>,
    /// Items left out because they have no usable name: one bad tool must not
    /// take the list with it.
    pub quarantined: usize,
    /// Where the next page begins. An empty string is a cursor like any other.
    pub next_cursor: Option<String>,
    /// How long the page may be kept.
    pub cache: CacheHint,
}

/// One item of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item<'a> {
    /// The value of [`ListKind::key`].
    pub name: Cow<'a, str>,
    /// The whole item, as the upstream wrote it.
    pub text: &'a str,
}

/// A result that is no list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the answer to {0} has no array \"{1}\"")]
pub struct NotAList(&'static str, &'static str);

/// `ttlMs` and `cacheScope` of a modern result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CacheHint {
    /// For how long, in milliseconds.
    pub ttl_ms: u64,
    /// True when every caller may be given the same answer.
    pub public: bool,
}

impl CacheHint {
    /// Keep it for nobody: what a legacy upstream's silence means.
    pub const NONE: Self = Self {
        ttl_ms: 0,
        public: false,
    };
    /// The neutral element of [`CacheHint::and`].
    pub const FOREVER: Self = Self {
        ttl_ms: u64::MAX,
        public: true,
    };

    /// Reads the hint of a result.
    #[must_use]
    pub fn of(result: &Object<'_>) -> Self {
        Self {
            ttl_ms: result
                .value("ttlMs")
                .and_then(|ttl| ttl.parse().ok())
                .unwrap_or(0),
            public: result.text("cacheScope").as_deref() == Some("public"),
        }
    }

    /// The hint of an answer made of two.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            ttl_ms: self.ttl_ms.min(other.ttl_ms),
            public: self.public && other.public,
        }
    }

    /// The value of `cacheScope`.
    #[must_use]
    pub fn scope(self) -> &'static str {
        if self.public { "public" } else { "private" }
    }
}

/// Reads a page out of a result.
///
/// # Errors
/// [`NotAList`] when the member of the kind is missing or no array.
pub fn read<'a>(kind: ListKind, result: &'a str) -> Result<Page<'a>, NotAList> {
    let not_a_list = NotAList(kind.method(), kind.member());
    let result = Object::parse(result).ok_or(not_a_list)?;
    let texts = result
        .value(kind.member())
        .and_then(json::array)
        .ok_or(not_a_list)?;
    let all = texts.len();
    let items: Vec<_> = texts
        .into_iter()
        .filter_map(|text| item(kind, text))
        .collect();
    Ok(Page {
        quarantined: all - items.len(),
        items,
        next_cursor: result.text("nextCursor").map(Cow::into_owned),
        cache: CacheHint::of(&result),
    })
}

fn item<'a>(kind: ListKind, text: &'a str) -> Option<Item<'a>> {
    let object = Object::parse(text)?;
    object.distinct(&[kind.key()]).ok()?;
    let name = object.text(kind.key())?;
    (!name.is_empty()).then_some(Item { name, text })
}

/// The item under another name; every other byte stays.
#[must_use]
pub fn renamed(kind: ListKind, item: &str, name: &str) -> String {
    match Object::parse(item) {
        Some(object) => object.edit().set(kind.key(), json::quote(name)).finish(),
        None => item.to_owned(),
    }
}

/// A result that holds the items and nothing else.
#[must_use]
pub fn render<'i>(kind: ListKind, items: impl IntoIterator<Item = &'i str>) -> String {
    let mut out = format!("{{\"{}\":[", kind.member());
    for (index, item) in items.into_iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        out.push_str(item);
    }
    out.push_str("]}");
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_page_splits_into_verbatim_items() {
        let text = r#"{"tools":[ {"z":1.0,"name":"a", "x":{}} , {"name":"b"}],"nextCursor":"","ttlMs":5,"cacheScope":"public"}"#;
        let page = read(ListKind::Tools, text).unwrap();
        assert_eq!(page.items[0].text, r#"{"z":1.0,"name":"a", "x":{}}"#);
        assert_eq!(
            page.next_cursor.as_deref(),
            Some(""),
            "an empty cursor is a cursor"
        );
        assert_eq!(
            page.cache,
            CacheHint {
                ttl_ms: 5,
                public: true
            }
        );
    }

    #[test]
    fn one_bad_tool_is_left_out_not_the_list() {
        let text =
            r#"{"tools":[{"name":"a"},7,{"title":"b"},{"name":""},{"name":"c","NAME":"d"}]}"#;
        let page = read(ListKind::Tools, text).unwrap();
        assert_eq!(page.items.len(), 1);
        assert_eq!(page.quarantined, 4);
    }

    #[test]
    fn an_answer_without_the_array_is_an_error() {
        assert!(read(ListKind::Tools, r#"{"prompts":[]}"#).is_err());
        assert!(read(ListKind::Tools, "[]").is_err());
    }

    proptest! {
        #[test]
        fn renaming_changes_the_name_and_no_other_byte(
            before in "[ ]{0,2}", key in "[b-z]{1,4}", number in "-?[1-9][0-9]{0,3}(\\.0{1,3})?",
            name in "[a-zé\"]{1,6}", new in "[A-Z_\"é]{1,8}",
        ) {
            let (name, new_text) = (json::quote(&name), json::quote(&new));
            prop_assume!(key != "name");
            let item = format!("{{{before}\"{key}\":{number},\"name\" : {name},\"q\":[{number}]}}");
            let expected = format!("{{{before}\"{key}\":{number},\"name\" : {new_text},\"q\":[{number}]}}");
            prop_assert_eq!(renamed(ListKind::Tools, &item, &new), expected);
        }
    }
}
