//! Whether a live object already says everything that is wanted of it.
//!
//! The live object says more: defaults, status, fields of other managers. So the
//! question is whether it *covers* the wanted one. Fields that are no longer
//! wanted are not seen here; the digest in an annotation tells of those.

use serde_json::{Map, Value};

/// True when every field of `wanted` has the same value in `live`.
pub(crate) fn covers(live: &Value, wanted: &Value) -> bool {
    value(live, wanted, false)
}

fn value(live: &Value, wanted: &Value, quantities: bool) -> bool {
    match (live, wanted) {
        (Value::Object(live), Value::Object(wanted)) => object(live, wanted, quantities),
        (Value::Array(live), Value::Array(wanted)) => array(live, wanted, quantities),
        (Value::String(_) | Value::Number(_), _) if quantities => {
            quantity(live) == quantity(wanted)
        }
        (Value::Number(live), Value::Number(wanted)) => live.as_f64() == wanted.as_f64(),
        _ => live == wanted,
    }
}

fn object(live: &Map<String, Value>, wanted: &Map<String, Value>, quantities: bool) -> bool {
    wanted.iter().all(|(key, want)| {
        let quantities = quantities || matches!(key.as_str(), "limits" | "requests");
        match live.get(key) {
            Some(have) => value(have, want, quantities),
            // The API server drops what is empty.
            None => is_empty(want),
        }
    })
}

/// Lists whose elements have names are maps in Kubernetes (containers, volumes,
/// ports, env): others may add to them. Other lists are compared whole.
fn array(live: &[Value], wanted: &[Value], quantities: bool) -> bool {
    let named = wanted
        .iter()
        .all(|element| element.get("name").is_some_and(Value::is_string));
    if named && !wanted.is_empty() {
        return wanted.iter().all(|want| {
            live.iter()
                .any(|have| have.get("name") == want.get("name") && value(have, want, quantities))
        });
    }
    live.len() == wanted.len()
        && live
            .iter()
            .zip(wanted)
            .all(|(have, want)| value(have, want, quantities))
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.values().all(is_empty),
        _ => false,
    }
}

/// A quantity in billionths, so that `1` equals `1000m`; other text as it is.
fn quantity(value: &Value) -> Result<i128, String> {
    let text = match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    billionths(&text).ok_or(text)
}

fn billionths(text: &str) -> Option<i128> {
    const BILLION: i128 = 1_000_000_000;
    let digits = text.strip_prefix('+').unwrap_or(text);
    let end = digits
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(digits.len());
    let (number, suffix) = digits.split_at(end);
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if (whole.is_empty() && fraction.is_empty()) || fraction.len() > 9 {
        return None;
    }
    let whole: i128 = if whole.is_empty() {
        0
    } else {
        whole.parse().ok()?
    };
    let fraction: i128 = format!("{fraction:0<9}").parse().ok()?;
    let value = whole.checked_mul(BILLION)?.checked_add(fraction)?;
    let ten = |exponent: u32| 10_i128.checked_pow(exponent);
    match suffix {
        "" => Some(value),
        "n" => Some(value / BILLION),
        "u" => Some(value / 1_000_000),
        "m" => Some(value / 1_000),
        "k" => value.checked_mul(ten(3)?),
        "M" => value.checked_mul(ten(6)?),
        "G" => value.checked_mul(ten(9)?),
        "T" => value.checked_mul(ten(12)?),
        "P" => value.checked_mul(ten(15)?),
        "E" => value.checked_mul(ten(18)?),
        "Ki" => value.checked_mul(1 << 10),
        "Mi" => value.checked_mul(1 << 20),
        "Gi" => value.checked_mul(1 << 30),
        "Ti" => value.checked_mul(1 << 40),
        "Pi" => value.checked_mul(1 << 50),
        "Ei" => value.checked_mul(1 << 60),
        exponent => {
            let exponent = exponent.strip_prefix(['e', 'E'])?;
            match exponent.parse::<i32>().ok()? {
                up @ 0.. => value.checked_mul(ten(up.unsigned_abs())?),
                down => Some(value / ten(down.unsigned_abs())?),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn defaults_and_fields_of_others_do_not_matter() {
        let live = json!({"spec": {"ports": [{"name": "http", "port": 8080, "protocol": "TCP"},
            {"name": "extra", "port": 1}], "type": "ClusterIP"}, "status": {}});
        assert!(covers(
            &live,
            &json!({"spec": {"ports": [{"name": "http", "port": 8080}]}})
        ));
        assert!(!covers(
            &live,
            &json!({"spec": {"ports": [{"name": "http", "port": 80}]}})
        ));
        assert!(!covers(
            &live,
            &json!({"spec": {"ports": [{"name": "https", "port": 8080}]}})
        ));
    }

    #[test]
    fn unnamed_lists_are_compared_whole() {
        let live = json!({"args": ["a", "b"]});
        assert!(covers(&live, &json!({"args": ["a", "b"]})));
        assert!(!covers(&live, &json!({"args": ["a"]})));
        assert!(!covers(&live, &json!({"args": ["b", "a"]})));
    }

    #[test]
    fn what_is_empty_may_be_absent() {
        assert!(covers(
            &json!({}),
            &json!({"annotations": {}, "tolerations": [], "x": null})
        ));
        assert!(!covers(&json!({}), &json!({"paused": false})));
    }

    #[test]
    fn quantities_are_compared_by_value() {
        let resources = |cpu: Value, memory: Value| json!({"resources": {"limits": {"cpu": cpu, "memory": memory}}});
        let live = resources(json!("1"), json!("1Gi"));
        for (cpu, memory) in [
            (json!(1), json!("1024Mi")),
            (json!("1000m"), json!("1073741824")),
            (json!("1.0"), json!(1_073_741_824)),
            (json!("1e0"), json!("1048576Ki")),
        ] {
            assert!(
                covers(&live, &resources(cpu.clone(), memory.clone())),
                "{cpu} {memory}"
            );
        }
        assert!(!covers(&live, &resources(json!("1001m"), json!("1Gi"))));
        assert!(!covers(&live, &resources(json!("lots"), json!("1Gi"))));
        assert!(
            !covers(&json!({"x": "1"}), &json!({"x": "1000m"})),
            "elsewhere text is text"
        );
    }
}
