//! YAML as the generated files have it.

use serde_json::Value;

/// Prints a document.
pub(crate) fn print(value: &Value) -> String {
    #[expect(clippy::expect_used, reason = "a JSON value has only strings as keys")]
    serde_saphyr::to_string(value).expect("JSON is YAML")
}
