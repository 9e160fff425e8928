//! Answers of open length: to NAMES and DUMP. A port, then text lines until the connection ends.

use super::AnswerError;

/// Answer to NAMES.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Names {
    /// Port the daemon says it listens on.
    pub epmd_port: u16,
    /// Name and port of each node, the latest registration first.
    pub nodes: Vec<(String, u16)>,
}

/// Answer to DUMP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dump {
    /// Port the daemon says it listens on.
    pub epmd_port: u16,
    /// The lines as sent, without the zero bytes between them.
    pub text: String,
}

/// One line of DUMP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DumpLine<'a> {
    /// Registered now, or released and remembered.
    pub active: bool,
    /// Alive name.
    pub name: &'a str,
    /// Port of the (last) registration.
    pub port: u16,
    /// Descriptor of its connection in the daemon.
    pub descriptor: i32,
}

// spec: erl_dist_protocol, "Get All Registered Names from EPMD"
/// Builds the answer to NAMES.
pub fn encode_names<'a>(
    epmd_port: u16,
    nodes: impl IntoIterator<Item = (&'a str, u16)>,
) -> Vec<u8> {
    let mut out = u32::from(epmd_port).to_be_bytes().to_vec();
    for (name, port) in nodes {
        out.extend_from_slice(b"name ");
        out.extend_from_slice(name.as_bytes());
        out.extend_from_slice(format!(" at port {port}\n").as_bytes());
    }
    out
}

/// Reads a whole answer to NAMES.
///
/// # Errors
/// [`AnswerError::Short`], [`AnswerError::Name`] (not UTF-8) and [`AnswerError::Line`].
pub fn decode_names(bytes: &[u8]) -> Result<Names, AnswerError> {
    let (epmd_port, text) = split_port(bytes)?;
    let text = std::str::from_utf8(text).map_err(|_| AnswerError::Name)?;
    let nodes =
        text.lines().map(names_line).collect::<Option<Vec<_>>>().ok_or(AnswerError::Line)?;
    Ok(Names { epmd_port, nodes })
}

fn names_line(line: &str) -> Option<(String, u16)> {
    // From the right: a name may hold the separator, the port may not.
    let (name, port) = line.strip_prefix("name ")?.rsplit_once(" at port ")?;
    Some((name.to_owned(), port.trim_end().parse().ok()?))
}

// spec: erl_dist_protocol, "Dump All Data from EPMD" (which shows neither the angle brackets nor
// the zero byte that ends each line)
/// Builds the answer to DUMP.
pub fn encode_dump<'a>(epmd_port: u16, lines: impl IntoIterator<Item = DumpLine<'a>>) -> Vec<u8> {
    let mut out = u32::from(epmd_port).to_be_bytes().to_vec();
    for DumpLine { active, name, port, descriptor } in lines {
        let line = if active {
            format!("active name     <{name}> at port {port}, fd = {descriptor}\n\0")
        } else {
            format!("old/unused name <{name}>, port = {port}, fd = {descriptor} \n\0")
        };
        out.extend_from_slice(line.as_bytes());
    }
    out
}

/// Reads a whole answer to DUMP.
///
/// # Errors
/// [`AnswerError::Short`]; text that is not UTF-8 is mended.
pub fn decode_dump(bytes: &[u8]) -> Result<Dump, AnswerError> {
    let (epmd_port, text) = split_port(bytes)?;
    let text = String::from_utf8_lossy(text).replace('\0', "");
    Ok(Dump { epmd_port, text })
}

fn split_port(bytes: &[u8]) -> Result<(u16, &[u8]), AnswerError> {
    let Some((port, text)) = bytes.split_first_chunk::<4>() else {
        return Err(AnswerError::Short { bytes: bytes.len() });
    };
    let port = u16::try_from(u32::from_be_bytes(*port)).map_err(|_| AnswerError::Line)?;
    Ok((port, text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_as_captured() {
        let bytes = encode_names(14403, [("b", 5001), ("a", 5000)]);
        assert_eq!(bytes, b"\x00\x00\x38\x43name b at port 5001\nname a at port 5000\n");
        let names = decode_names(&bytes).unwrap();
        assert_eq!(names.epmd_port, 14403);
        assert_eq!(names.nodes, [("b".to_owned(), 5001), ("a".to_owned(), 5000)]);
    }

    #[test]
    fn names_that_look_like_the_line_itself() {
        let tricky = "x at port 7";
        let names = decode_names(&encode_names(1, [(tricky, 9)])).unwrap();
        assert_eq!(names.nodes, [(tricky.to_owned(), 9)]);
    }

    #[test]
    fn names_of_another_form_are_refused() {
        assert_eq!(decode_names(b"\0\0"), Err(AnswerError::Short { bytes: 2 }));
        assert_eq!(decode_names(b"\0\0\0\x01nonsense\n"), Err(AnswerError::Line));
        assert_eq!(decode_names(b"\0\0\0\x01name a at port 70000\n"), Err(AnswerError::Line));
        assert_eq!(decode_names(b"\0\x01\0\x01"), Err(AnswerError::Line));
    }

    #[test]
    fn dump_as_captured() {
        let active = DumpLine { active: true, name: "ex", port: 5000, descriptor: 16 };
        let old = DumpLine { active: false, name: "old", port: 5000, descriptor: 17 };
        let bytes = encode_dump(14403, [active, old]);
        let text = b"\x00\x00\x38\x43active name     <ex> at port 5000, fd = 16\n\0\
            old/unused name <old>, port = 5000, fd = 17 \n\0";
        assert_eq!(bytes, text);
        assert!(decode_dump(&bytes).unwrap().text.ends_with("fd = 17 \n"));
    }
}
