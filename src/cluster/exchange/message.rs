//! What HAR nodes tell each other, as terms.
//!
//! A message is `{Tag, Version, …}`. What a later version adds is passed over, so that nodes of two
//! releases understand each other; a version that means something else has another number.

use erlang_interop::term::{Term, atom, term};

use crate::cluster::Place;
use crate::cluster::limits::DIGEST_BYTES_MAX;
use crate::config::PlaceName;

/// The version of all messages here.
const VERSION: i64 = 1;

/// Which routing table a node has. The greater is the newer.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct TableMark {
    /// 0: the one it started with.
    pub serial: u64,
    /// Tells contents apart.
    pub digest: String,
}

/// What a node tells of itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Told {
    /// Where it is.
    pub place: Place,
    /// Its routing table.
    pub table: TableMark,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Message {
    /// What the sender is: `{har_node, 1, #{region, zone, table}}`.
    Node(Told),
    /// The sender wants our table: `{har_table_wanted, 1}`.
    TableWanted,
    /// The sender's table: `{har_table, 1, Serial, Source}`.
    Table(u64, Term),
}

impl Message {
    pub(super) fn to_term(&self) -> Term {
        match self {
            Self::Node(told) => {
                let name = |name: &PlaceName| name.known().map_or_else(|| term!(nil), Term::from);
                let table = mark_term(&told.table);
                term!({har_node, (VERSION), #{
                    region => (name(&told.place.region)),
                    zone => (name(&told.place.zone)),
                    table => (table),
                }})
            }
            Self::TableWanted => term!({har_table_wanted, (VERSION)}),
            Self::Table(serial, source) => {
                let serial = i64::try_from(*serial).unwrap_or(i64::MAX);
                Term::from((atom!("har_table"), VERSION, serial, source.clone()))
            }
        }
    }

    /// `None`: not a message of this version, or beyond its bounds.
    pub(super) fn read(term: &Term) -> Option<Self> {
        let [tag, version, rest @ ..] = term.as_tuple()? else { return None };
        if version.as_integer() != Some(VERSION) {
            return None;
        }
        match (tag.as_atom()?.as_str(), rest) {
            ("har_node", [fields]) => {
                let fields = fields.as_map()?;
                let name = |key: &str| match fields.get_atom(key) {
                    None => Some(PlaceName::default()),
                    Some(nil) if nil.is_atom("nil") => Some(PlaceName::default()),
                    // The same rules as for one's own.
                    Some(name) => name.as_str()?.parse().ok(),
                };
                let place = Place { region: name("region")?, zone: name("zone")? };
                let table = fields.get_atom("table").and_then(read_mark)?;
                Some(Self::Node(Told { place, table }))
            }
            ("har_table_wanted", []) => Some(Self::TableWanted),
            ("har_table", [serial, source]) => {
                let serial = u64::try_from(serial.as_integer()?).ok()?;
                source.as_str()?;
                Some(Self::Table(serial, source.clone()))
            }
            _ => None,
        }
    }
}

fn mark_term(mark: &TableMark) -> Term {
    let serial = i64::try_from(mark.serial).unwrap_or(i64::MAX);
    Term::from((serial, mark.digest.as_str()))
}

fn read_mark(term: &Term) -> Option<TableMark> {
    let [serial, digest] = term.as_tuple()? else { return None };
    let serial = u64::try_from(serial.as_integer()?).ok()?;
    let digest = digest.as_str().filter(|digest| digest.len() <= DIGEST_BYTES_MAX)?;
    Some(TableMark { serial, digest: digest.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let place = Place { region: "eu".parse().unwrap(), zone: PlaceName::default() };
        let table = TableMark { serial: 7, digest: "ab".into() };
        for message in [
            Message::Node(Told { place, table }),
            Message::Node(Told::default()),
            Message::TableWanted,
            Message::Table(3, Term::from("routes: []")),
        ] {
            assert_eq!(Message::read(&message.to_term()), Some(message));
        }
    }

    #[test]
    fn what_a_later_version_adds_is_passed_over() {
        let more = term!({har_node, 1, #{region => "eu", table => {1, "ab"}, more => [1]}});
        let Some(Message::Node(told)) = Message::read(&more) else { panic!("a node") };
        assert_eq!((told.place.region.known(), told.place.zone.known()), (Some("eu"), None));
    }

    #[test]
    fn what_is_too_long_or_strange_is_nothing() {
        let long = "a".repeat(100);
        for strange in [
            term!({har_node, 2, #{region => "eu", table => {1, "ab"}}}),
            term!({har_node, 1, #{region => (long.as_str()), table => {1, "ab"}}}),
            term!({har_node, 1, #{region => "e u", table => {1, "ab"}}}),
            term!({har_node, 1, #{region => eu, table => {1, "ab"}}}),
            term!({har_node, 1, #{region => "eu"}}),
            term!({har_node, 1, #{region => "eu", table => {(-1), "ab"}}}),
            term!({har_node, 1, #{region => "eu", table => {1, (long.as_str())}}}),
            term!({har_table, 1, x, "routes: []"}),
            term!({har_table, 1, 1, routes}),
            term!({other, 1}),
            term!(har_node),
        ] {
            assert_eq!(Message::read(&strange), None, "{strange:?}");
        }
    }
}
