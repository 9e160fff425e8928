//! Properties of the codec: what is encoded is decoded, however the bytes are cut, and no bytes
//! whatever make it panic.

use epmd::codec::{
    self, Alive2, Alive2Answer, DumpLine, NodeInfo, PortAnswer, Request, RequestReader,
};
use epmd::limits::{EXTRA_BYTES_MAX, NAME_CHARACTERS_MAX, REQUEST_BYTES_MAX};
use proptest::collection::vec;
use proptest::prelude::*;

fn name() -> impl Strategy<Value = String> {
    let character = any::<char>().prop_filter("no zero in a name", |&c| c != '\0');
    vec(character, 1..=NAME_CHARACTERS_MAX).prop_map(|characters| characters.into_iter().collect())
}

prop_compose! {
    fn node()(
        name in name(),
        port: u16,
        node_type: u8,
        protocol: u8,
        highest_version: u16,
        lowest_version: u16,
        extra in vec(any::<u8>(), 0..=EXTRA_BYTES_MAX),
    ) -> NodeInfo {
        NodeInfo { name, port, node_type, protocol, highest_version, lowest_version, extra }
    }
}

fn alive(node: &NodeInfo) -> Alive2<'_> {
    Alive2 {
        port: node.port,
        node_type: node.node_type,
        protocol: node.protocol,
        highest_version: node.highest_version,
        lowest_version: node.lowest_version,
        name: node.name.as_bytes(),
        extra: &node.extra,
    }
}

/// Feeds `bytes` in two pieces and gives the body that came out.
fn read_in_two(bytes: &[u8], cut: usize) -> Option<Vec<u8>> {
    let mut reader = RequestReader::default();
    for piece in [&bytes[..cut], &bytes[cut..]] {
        if piece.is_empty() {
            continue;
        }
        reader.space()[..piece.len()].copy_from_slice(piece);
        if let Some(body) = reader.advance(piece.len()).unwrap() {
            return Some(body.to_vec());
        }
    }
    None
}

proptest! {
    #[test]
    fn requests_come_back(node in node()) {
        let requests = [
            Request::Alive2(alive(&node)),
            Request::PortPlease2 { name: &node.name },
            Request::Names,
            Request::Dump,
            Request::Kill,
            Request::Stop { name: node.name.as_bytes() },
        ];
        for request in requests {
            let bytes = request.encode().unwrap();
            prop_assert!(bytes.len() <= REQUEST_BYTES_MAX);
            prop_assert_eq!(Request::decode(&bytes[2..]), Ok(request));
        }
    }

    #[test]
    fn requests_come_back_cut_at_every_byte(node in node()) {
        let bytes = Request::Alive2(alive(&node)).encode().unwrap();
        for cut in 0..=bytes.len() {
            let body = read_in_two(&bytes, cut);
            prop_assert_eq!(body.as_deref(), Some(&bytes[2..]), "cut {}", cut);
        }
    }

    #[test]
    fn answers_come_back(node in node(), creation: u32) {
        let bytes = codec::encode_port(Some(&node));
        for cut in 0..bytes.len() {
            prop_assert_eq!(codec::decode_port(&bytes[..cut]), Ok(None));
        }
        prop_assert_eq!(codec::decode_port(&bytes), Ok(Some(PortAnswer::Found(node))));
        let ok = Alive2Answer::Ok { creation };
        prop_assert_eq!(codec::decode_alive2(&codec::encode_alive2(6, ok)), Ok(Some(ok)));
    }

    #[test]
    fn names_come_back(nodes in vec((name(), any::<u16>()), 0..8)) {
        // A line ends the name: the protocol can't carry a line feed.
        let nodes: Vec<_> =
            nodes.into_iter().map(|(name, port)| (name.replace(['\n', '\r'], "_"), port)).collect();
        let lines = nodes.iter().map(|(name, port)| (name.as_str(), *port));
        let names = codec::decode_names(&codec::encode_names(4369, lines)).unwrap();
        prop_assert_eq!(names.epmd_port, 4369);
        prop_assert_eq!(names.nodes, nodes);
    }

    #[test]
    fn dump_has_a_line_for_each(names in vec("[a-z]{1,9}", 0..8)) {
        let line = |name| DumpLine { active: true, name, port: 1, descriptor: 2 };
        let bytes = codec::encode_dump(4369, names.iter().map(|name| line(name.as_str())));
        let dump = codec::decode_dump(&bytes).unwrap();
        prop_assert_eq!(dump.text.lines().count(), names.len());
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in vec(any::<u8>(), 0..4000), first: u8, cut in 0_usize..64) {
        let mut opcode = bytes.clone();
        for tag in [first, b'x', b'z', b's', b'v', b'w', b'y'] {
            if let Some(at) = opcode.first_mut() {
                *at = tag;
            }
            let _ = Request::decode(&opcode);
            let _ = codec::decode_alive2(&opcode);
            let _ = codec::decode_port(&opcode);
        }
        let _ = codec::decode_names(&bytes);
        let _ = codec::decode_dump(&bytes);
        let mut reader = RequestReader::default();
        for piece in bytes.chunks(cut + 1) {
            let space = reader.space();
            let count = piece.len().min(space.len());
            space[..count].copy_from_slice(&piece[..count]);
            match reader.advance(count) {
                Ok(None) => prop_assert!(!reader.space().is_empty()),
                Ok(Some(_)) | Err(_) => break,
            }
        }
        prop_assert!(reader.received() <= REQUEST_BYTES_MAX);
    }
}
