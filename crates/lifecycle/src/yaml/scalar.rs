//! The values of plain texts, by the core schema of YAML 1.2 (section 10.3.2).

use serde::de::Visitor;

use super::{fault::Fault, node::is_nothing};

/// Gives a plain text to a visitor as nothing, a switch, a number or a text.
pub(crate) fn visit<'de, V: Visitor<'de>>(text: &str, visitor: V) -> Result<V::Value, Fault> {
    match text {
        text if is_nothing(text) => return visitor.visit_unit(),
        "true" | "True" | "TRUE" => return visitor.visit_bool(true),
        "false" | "False" | "FALSE" => return visitor.visit_bool(false),
        _ => {}
    }
    let digits = text.trim_start_matches(['-', '+']);
    if !digits.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
        return visitor.visit_str(text);
    }
    // A leading zero belongs to a text such as a mode or a day: YAML 1.1 would read an octal number.
    if digits.len() > 1 && digits.starts_with('0') && digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return visitor.visit_str(text);
    }
    for (prefix, radix) in [("0o", 8), ("0x", 16)] {
        if let Some(number) = text.strip_prefix(prefix).and_then(|digits| u64::from_str_radix(digits, radix).ok()) {
            return visitor.visit_u64(number);
        }
    }
    if let Ok(number) = text.parse::<u64>() {
        return visitor.visit_u64(number);
    }
    if let Ok(number) = text.parse::<i64>() {
        return visitor.visit_i64(number);
    }
    match text.parse::<f64>() {
        Ok(number) if number.is_finite() => visitor.visit_f64(number),
        _ => visitor.visit_str(text),
    }
}
