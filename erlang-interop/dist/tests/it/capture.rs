//! Reads the captures in `tests/data`; its README tells their form.

use std::path::Path;

/// One message of a captured stream.
pub(crate) struct Line {
    /// Whether the dialer sent it.
    pub(crate) from_dialer: bool,
    /// The fields behind the direction, bytes aside.
    pub(crate) fields: Vec<String>,
    /// The bytes with their length.
    pub(crate) bytes: Vec<u8>,
}

/// Captures of `frames` files, without their ending.
pub(crate) const FRAMES: [&str; 6] =
    ["otp25_erlang", "otp25_elixir", "otp25_mib", "otp27_erlang", "otp27_elixir", "otp27_mib"];

/// Captures of `handshake` files, without their ending.
pub(crate) const HANDSHAKES: [&str; 6] =
    ["otp25_scen", "otp25_exs", "otp25_big", "otp27_scen", "otp27_exs", "otp27_big"];

/// All lines of `tests/data/NAME`; `bytes_field` is the column of the bytes.
pub(crate) fn read(name: &str, bytes_field: usize) -> Vec<Line> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name);
    let text = std::fs::read_to_string(&path).expect("the capture is readable");
    let lines: Vec<Line> = text
        .lines()
        .map(|line| {
            let mut fields: Vec<String> = line.split('\t').map(str::to_owned).collect();
            let bytes = expand(&fields.remove(bytes_field));
            let from_dialer = fields.remove(0) == ">";
            Line { from_dialer, fields, bytes }
        })
        .collect();
    assert!(!lines.is_empty(), "{name} is empty");
    lines
}

/// What one side sent, joined.
pub(crate) fn side(lines: &[Line], from_dialer: bool) -> Vec<u8> {
    lines
        .iter()
        .filter(|line| line.from_dialer == from_dialer)
        .flat_map(|l| l.bytes.clone())
        .collect()
}

fn expand(mut text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    while !text.is_empty() {
        let literal = text.find('[').unwrap_or(text.len());
        bytes.extend(hex(&text[..literal]));
        text = &text[literal..];
        if let Some(rest) = text.strip_prefix('[') {
            let (run, behind) = rest.split_once(']').expect("a run ends");
            let (unit, count) = run.split_once('*').expect("a run has a count");
            let count = count.parse().expect("a count");
            bytes.extend(hex(unit).into_iter().cycle().take(count));
            text = behind;
        }
    }
    bytes
}

fn hex(text: &str) -> Vec<u8> {
    let digit = |at: usize| u8::from_str_radix(&text[at..at + 2], 16).expect("hexadecimal");
    (0..text.len()).step_by(2).map(digit).collect()
}
