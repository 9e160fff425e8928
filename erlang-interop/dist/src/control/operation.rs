//! The table of operations: number, name, payload, and the flag that allows it.

use crate::flags::DistributionFlags;

/// An operation of the protocol, by its number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Operation(u8);

struct Row {
    operation: Operation,
    name: &'static str,
    arity: u8,
    payload: bool,
    flag: DistributionFlags,
}

macro_rules! operations {
    ($($name:ident = $number:expr, arity $arity:expr, payload $payload:expr, $flag:ident;)*) => {
        impl Operation {
            $(#[doc = concat!("`", stringify!($name), "`.")] pub const $name: Self = Self($number);)*
        }

        const TABLE: &[Row] = &[$(Row {
            operation: Operation::$name,
            name: stringify!($name),
            arity: $arity,
            payload: $payload,
            flag: DistributionFlags::$flag,
        }),*];
    };
}

operations! {
    LINK = 1, arity 3, payload false, NONE;
    SEND = 2, arity 3, payload true, NONE;
    EXIT = 3, arity 4, payload false, NONE;
    UNLINK = 4, arity 3, payload false, NONE;
    NODE_LINK = 5, arity 1, payload false, NONE;
    REG_SEND = 6, arity 4, payload true, NONE;
    GROUP_LEADER = 7, arity 3, payload false, NONE;
    EXIT2 = 8, arity 4, payload false, NONE;
    SEND_TT = 12, arity 4, payload true, NONE;
    EXIT_TT = 13, arity 5, payload false, NONE;
    REG_SEND_TT = 16, arity 5, payload true, NONE;
    EXIT2_TT = 18, arity 5, payload false, NONE;
    MONITOR_P = 19, arity 4, payload false, NONE;
    DEMONITOR_P = 20, arity 4, payload false, NONE;
    MONITOR_P_EXIT = 21, arity 5, payload false, NONE;
    SEND_SENDER = 22, arity 3, payload true, SEND_SENDER;
    SEND_SENDER_TT = 23, arity 4, payload true, SEND_SENDER;
    PAYLOAD_EXIT = 24, arity 3, payload true, EXIT_PAYLOAD;
    PAYLOAD_EXIT_TT = 25, arity 4, payload true, EXIT_PAYLOAD;
    PAYLOAD_EXIT2 = 26, arity 3, payload true, EXIT_PAYLOAD;
    PAYLOAD_EXIT2_TT = 27, arity 4, payload true, EXIT_PAYLOAD;
    PAYLOAD_MONITOR_P_EXIT = 28, arity 4, payload true, EXIT_PAYLOAD;
    SPAWN_REQUEST = 29, arity 6, payload true, SPAWN;
    SPAWN_REQUEST_TT = 30, arity 7, payload true, SPAWN;
    SPAWN_REPLY = 31, arity 5, payload false, SPAWN;
    SPAWN_REPLY_TT = 32, arity 6, payload false, SPAWN;
    ALIAS_SEND = 33, arity 3, payload true, ALIAS;
    ALIAS_SEND_TT = 34, arity 4, payload true, ALIAS;
    UNLINK_ID = 35, arity 4, payload false, UNLINK_ID;
    UNLINK_ID_ACK = 36, arity 4, payload false, UNLINK_ID;
    ALTACT_SIG_SEND = 37, arity 4, payload true, ALTACT_SIG;
}

impl Operation {
    /// Every operation, lowest number first.
    pub fn all() -> impl Iterator<Item = Self> {
        TABLE.iter().map(|row| row.operation)
    }

    /// The operation of this number, if there's one.
    pub fn from_number(number: u8) -> Option<Self> {
        TABLE.iter().find(|row| row.operation.0 == number).map(|row| row.operation)
    }

    /// Its number on the wire.
    pub const fn number(self) -> u8 {
        self.0
    }

    fn row(self) -> &'static Row {
        // Sorted by number with few gaps: the row is at most at this index, and not far before it.
        let end = TABLE.len().min(usize::from(self.0));
        TABLE[..end]
            .iter()
            .rev()
            .find(|row| row.operation == self)
            .expect("an operation is only made from the table")
    }

    /// OTP's name without `DOP_`.
    pub fn name(self) -> &'static str {
        self.row().name
    }

    /// Elements of its tuple with the number; [`Self::ALTACT_SIG_SEND`] has one more when traced.
    pub fn arity(self) -> u8 {
        self.row().arity
    }

    /// Whether a payload follows.
    pub fn has_payload(self) -> bool {
        self.row().payload
    }

    /// The flag that both sides must have for it; none for the oldest operations.
    pub fn flag(self) -> DistributionFlags {
        self.row().flag
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_operation_finds_its_row() {
        let mut before = 0;
        for operation in Operation::all() {
            assert!(operation.number() > before);
            before = operation.number();
            assert_eq!(operation.row().operation, operation);
            assert_eq!(Operation::from_number(before), Some(operation));
        }
        assert_eq!(before, 37);
        for gap in [0, 9, 10, 11, 14, 15, 17, 38, 255] {
            assert_eq!(Operation::from_number(gap), None);
        }
    }
}
