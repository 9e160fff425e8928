//! Plain scalars by the rules of YAML 1.1 as PyYAML applies them (Ansible and Salt read with it).
// spec: yaml.org/type (bool, int, float, null), yaml.resolver of PyYAML

use crate::semantic::Value;

/// The value of a plain scalar.
pub fn resolve_yaml_1_1(text: &str) -> Value {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Value::Null,
        "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => {
            return Value::Bool(true);
        }
        "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => {
            return Value::Bool(false);
        }
        ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" => {
            return Value::Float(f64::INFINITY);
        }
        "-.inf" | "-.Inf" | "-.INF" => return Value::Float(f64::NEG_INFINITY),
        _ => {}
    }
    let starts_numeric =
        text.starts_with(|first: char| first.is_ascii_digit() || "+-.".contains(first));
    if !starts_numeric {
        return Value::String(text.to_owned());
    }
    integer(text)
        .map(Value::Integer)
        .or_else(|| float(text).map(Value::Float))
        .unwrap_or_else(|| text.into())
}

/// Decimal, octal (`0644`, `0o17`), hexadecimal, binary and base 60 (`1:30`), with underscores.
fn integer(text: &str) -> Option<i64> {
    let (negative, digits) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    if !digits.starts_with(|first: char| first.is_ascii_digit()) {
        return None;
    }
    let plain: String = digits.chars().filter(|&c| c != '_').collect();
    let number = if let Some(hex) = plain.strip_prefix("0x") {
        i64::from_str_radix(hex, 16).ok()?
    } else if let Some(binary) = plain.strip_prefix("0b") {
        i64::from_str_radix(binary, 2).ok()?
    } else if let Some(octal) = plain.strip_prefix("0o") {
        i64::from_str_radix(octal, 8).ok()?
    } else if plain.len() > 1 && plain.starts_with('0') && !plain.contains(':') {
        i64::from_str_radix(&plain[1..], 8).ok()?
    } else if plain.contains(':') {
        base_60(&plain)?
    } else {
        plain.parse().ok()?
    };
    Some(if negative { -number } else { number })
}

fn base_60(text: &str) -> Option<i64> {
    let mut parts = text.split(':');
    let first = parts.next()?;
    if first.starts_with('0') || !first.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let mut number: i64 = first.parse().ok()?;
    for part in parts {
        let valid = (1..=2).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit());
        let digit: i64 = part.parse().ok().filter(|&digit| valid && digit < 60)?;
        number = number.checked_mul(60)?.checked_add(digit)?;
    }
    Some(number)
}

/// Floats need a dot in YAML 1.1: `1e3` is text, `1.0e+3` a number.
fn float(text: &str) -> Option<f64> {
    let allowed = text.bytes().all(|byte| byte.is_ascii_digit() || b"+-.eE_".contains(&byte));
    if !allowed
        || text.bytes().filter(|&byte| byte == b'.').count() != 1
        || !text.bytes().any(|b| b.is_ascii_digit())
    {
        return None;
    }
    let exponent = text.find(['e', 'E']);
    if exponent.is_some_and(|at| !matches!(text.as_bytes().get(at + 1), Some(b'+' | b'-'))) {
        return None;
    }
    text.replace('_', "").parse().ok()
}

/// Whether a text may stand without quotes and is read back as the same text, by YAML 1.1 and 1.2.
pub fn is_plain_safe(text: &str) -> bool {
    let (Some(first), Some(last)) = (text.chars().next(), text.chars().next_back()) else {
        return false;
    };
    let special_first = matches!(first, '-' | ':' | '?') || first.is_whitespace();
    let forbidden = |c: char| {
        c.is_control()
            || matches!(
                c,
                '#' | '\''
                    | '"'
                    | '['
                    | ']'
                    | '{'
                    | '}'
                    | '&'
                    | '*'
                    | '!'
                    | '|'
                    | '>'
                    | '%'
                    | '@'
                    | '`'
                    | '\u{feff}'
                    | '\u{85}'
                    | '\u{2028}'
                    | '\u{2029}'
            )
    };
    if special_first
        || last.is_whitespace()
        || last == ':'
        || text.contains(": ")
        || text.contains(forbidden)
    {
        return false;
    }
    let numeric = first.is_ascii_digit()
        || (matches!(first, '+' | '.')
            && text[1..].starts_with(|c: char| c.is_ascii_digit() || c == '.'));
    let word = matches!(
        text.to_ascii_lowercase().as_str(),
        "true"
            | "false"
            | "yes"
            | "no"
            | "on"
            | "off"
            | "y"
            | "n"
            | "null"
            | "~"
            | "="
            | "<<"
            | ".inf"
            | ".nan"
            | "+.inf"
    );
    !numeric && !word && matches!(resolve_yaml_1_1(text), Value::String(_)) && first != ','
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scalars_are_read_as_pyyaml_reads_them() {
        let cases: [(&str, Value); 17] = [
            ("yes", Value::Bool(true)),
            ("Off", Value::Bool(false)),
            ("~", Value::Null),
            ("0644", Value::Integer(420)),
            ("0o17", Value::Integer(15)),
            ("0x1F", Value::Integer(31)),
            ("0b11", Value::Integer(3)),
            ("1_000", Value::Integer(1000)),
            ("1:30", Value::Integer(90)),
            ("-12", Value::Integer(-12)),
            ("1.5", Value::Float(1.5)),
            ("1e3", "1e3".into()),
            ("1.0e+3", Value::Float(1000.0)),
            ("0899", "0899".into()),
            ("22.04.1", "22.04.1".into()),
            ("nginx", "nginx".into()),
            ("08:30", "08:30".into()),
        ];
        for (text, want) in cases {
            assert_eq!(resolve_yaml_1_1(text), want, "{text}");
        }
    }

    #[test]
    fn texts_that_would_change_are_not_plain() {
        for text in [
            "", "yes", "Null", "0644", "1.0", "- a", "a: b", "a #b", "a ", ":x", "{{ x }}", "x:",
            "1:30", ".5",
        ] {
            assert!(!is_plain_safe(text), "{text:?}");
        }
        for text in ["nginx", "/etc/x", "salt://a/b", "a-b c", "rsync -a /a/ /b/", "x=1"] {
            assert!(is_plain_safe(text), "{text:?}");
        }
    }
}
