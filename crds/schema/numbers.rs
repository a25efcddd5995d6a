//! Numbers as OpenAPI knows them.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::JSONSchemaProps;
use serde_json::Number;

/// `uint32` and its like are formats of schemars; OpenAPI has `int32` and `int64`, and a
/// minimum says that a number has no sign.
pub(super) fn portable_formats(schema: &mut JSONSchemaProps) {
    let Some(unsigned) = schema
        .format
        .as_deref()
        .and_then(|it| it.strip_prefix("uint"))
    else {
        return;
    };
    // A type narrower than 64 bits can hold less than the format says.
    let largest = match unsigned {
        "8" => f64::from(u8::MAX),
        "16" => f64::from(u16::MAX),
        "32" => f64::from(u32::MAX),
        _ => f64::MAX,
    };
    let maximum = schema.maximum.unwrap_or(largest);
    if maximum < f64::MAX {
        schema.maximum = Some(maximum);
    }
    schema.minimum.get_or_insert(0.0);
    let short = maximum <= f64::from(i32::MAX);
    schema.format = Some(if short { "int32" } else { "int64" }.to_owned());
}

/// A number that is whole but was carried as a float.
pub(super) fn whole(number: &Number) -> Option<i64> {
    let float = number.as_f64().filter(|_| number.is_f64())?;
    // Beyond 2^53 a float does not name one integer.
    let exact = float.fract() == 0.0 && float.abs() < 9_007_199_254_740_992.0;
    #[expect(clippy::cast_possible_truncation, reason = "checked in the line above")]
    exact.then_some(float as i64)
}
