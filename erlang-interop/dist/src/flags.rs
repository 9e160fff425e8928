//! Capabilities that two nodes tell each other in the handshake.
//!
//! Names are those of OTP's `dist.hrl` without `DFLAG_`. What a connection may use is always the
//! intersection of both sides' words, never something guessed from a release.

use std::fmt;
use std::ops::{BitAnd, BitOr, BitOrAssign, Not, Sub};

/// A set of distribution flags.
// spec: erl_dist_protocol, "Distribution Flags"
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct DistributionFlags(u64);

macro_rules! flags {
    ($($(#[$doc:meta])* $name:ident = $value:expr;)*) => {
        impl DistributionFlags {
            $($(#[$doc])* pub const $name: Self = Self($value);)*

            /// Every flag with the name OTP gives it, lowest bit first.
            pub const NAMED: &'static [(&'static str, Self)] = &[$((stringify!($name), Self::$name)),*];
        }
    };
}

flags! {
    /// The node is shown by `nodes()`; a node without it is hidden.
    PUBLISHED = 0x1;
    /// Atom cache of the oldest protocol; no release in use sends it.
    ATOM_CACHE = 0x2;
    /// References of more than one word.
    EXTENDED_REFERENCES = 0x4;
    /// Monitors of processes.
    DIST_MONITOR = 0x8;
    /// Separate tags for funs.
    FUN_TAGS = 0x10;
    /// Monitors by registered name.
    DIST_MONITOR_NAME = 0x20;
    /// Obsolete: hidden atom cache.
    HIDDEN_ATOM_CACHE = 0x40;
    /// Funs with their free variables and module hash.
    NEW_FUN_TAGS = 0x80;
    /// Pids and ports with 28 bits of id and serial.
    EXTENDED_PIDS_PORTS = 0x100;
    /// `fun M:F/A`.
    EXPORT_PTR_TAG = 0x200;
    /// Bit strings.
    BIT_BINARIES = 0x400;
    /// Floats as IEEE doubles.
    NEW_FLOATS = 0x800;
    /// Unicode requests in the I/O protocol.
    UNICODE_IO = 0x1000;
    /// Distribution header with an atom cache.
    DIST_HDR_ATOM_CACHE = 0x2000;
    /// Atoms with a length of one byte.
    SMALL_ATOM_TAGS = 0x4000;
    /// Atoms in UTF-8.
    UTF8_ATOMS = 0x10000;
    /// Maps.
    MAP_TAG = 0x20000;
    /// Creations of 32 bits.
    BIG_CREATION = 0x40000;
    /// `SEND_SENDER` instead of `SEND`.
    SEND_SENDER = 0x80000;
    /// Sequential trace labels of any term.
    BIG_SEQTRACE_LABELS = 0x100000;
    /// Internal to the BEAM (OTP 23 to 25); never sent.
    NO_MAGIC = 0x200000;
    /// Exit reasons travel as payloads.
    EXIT_PAYLOAD = 0x400000;
    /// Fragmented messages.
    FRAGMENTS = 0x800000;
    /// Handshake of version 6.
    HANDSHAKE_23 = 0x1000000;
    /// Unlinks with an id and an acknowledgement.
    UNLINK_ID = 0x2000000;
    /// Shorthand for all that OTP 25 demands. The guide's text says bit 36; the header says this.
    MANDATORY_25_DIGEST = 0x4000000;
    /// `SPAWN_REQUEST` and `SPAWN_REPLY`.
    SPAWN = 1 << 32;
    /// The dialer asks for a name.
    NAME_ME = 1 << 33;
    /// Pids, ports and references of version 4.
    V4_NC = 1 << 34;
    /// Process aliases.
    ALIAS = 1 << 35;
    /// `ALTACT_SIG_SEND` (OTP 28).
    ALTACT_SIG = 1 << 36;
}

impl DistributionFlags {
    /// No flag.
    pub const NONE: Self = Self(0);

    /// What OTP 25 demands of a peer, and what [`Self::MANDATORY_25_DIGEST`] stands for.
    pub const MANDATORY_25: Self = Self(
        Self::EXTENDED_REFERENCES.0
            | Self::FUN_TAGS.0
            | Self::EXTENDED_PIDS_PORTS.0
            | Self::UTF8_ATOMS.0
            | Self::NEW_FUN_TAGS.0
            | Self::BIG_CREATION.0
            | Self::NEW_FLOATS.0
            | Self::MAP_TAG.0
            | Self::EXPORT_PTR_TAG.0
            | Self::BIT_BINARIES.0
            | Self::HANDSHAKE_23.0,
    );

    /// What OTP 26 and later demand of a peer.
    pub const MANDATORY_26: Self = Self(Self::MANDATORY_25.0 | Self::V4_NC.0 | Self::UNLINK_ID.0);

    /// What a BEAM of OTP 25 to 27 offers by default.
    pub const DEFAULT: Self = Self(0x0000_000d_07df_7fbd);

    /// What a hidden BEAM offers: all of [`Self::DEFAULT`] but [`Self::PUBLISHED`].
    pub const DEFAULT_HIDDEN: Self = Self(Self::DEFAULT.0 & !Self::PUBLISHED.0);

    /// The set with exactly the bits of `word`. Unknown bits are kept.
    pub const fn from_bits(word: u64) -> Self {
        Self(word)
    }

    /// The 64-bit word as it stands on the wire.
    pub const fn bits(self) -> u64 {
        self.0
    }

    /// Whether all flags of `other` are in `self`.
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Whether some flag of `other` is in `self`.
    pub const fn intersects(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// Whether no flag is set.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The set that a peer's word means: [`Self::MANDATORY_25_DIGEST`] written out.
    #[must_use]
    pub const fn expanded(self) -> Self {
        if self.contains(Self::MANDATORY_25_DIGEST) {
            Self(self.0 | Self::MANDATORY_25.0)
        } else {
            self
        }
    }

    /// The flags of `required` that a peer with this word lacks.
    #[must_use]
    pub fn missing(self, required: Self) -> Self {
        required - self.expanded()
    }

    /// The names of the known flags in this set, lowest bit first.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        Self::NAMED.iter().filter(move |(_, flag)| self.contains(*flag)).map(|(name, _)| *name)
    }
}

impl BitOr for DistributionFlags {
    type Output = Self;
    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl BitOrAssign for DistributionFlags {
    fn bitor_assign(&mut self, other: Self) {
        self.0 |= other.0;
    }
}

impl BitAnd for DistributionFlags {
    type Output = Self;
    fn bitand(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }
}

impl Sub for DistributionFlags {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }
}

impl Not for DistributionFlags {
    type Output = Self;
    fn not(self) -> Self {
        Self(!self.0)
    }
}

impl fmt::Display for DistributionFlags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut known = Self::NONE;
        let mut separator = "";
        for (name, flag) in Self::NAMED.iter().filter(|(_, flag)| self.contains(*flag)) {
            write!(f, "{separator}{name}")?;
            separator = " | ";
            known |= *flag;
        }
        let unknown = *self - known;
        if !unknown.is_empty() {
            write!(f, "{separator}{:#x}", unknown.0)?;
        } else if self.is_empty() {
            f.write_str("none")?;
        }
        Ok(())
    }
}

impl fmt::Debug for DistributionFlags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DistributionFlags({:#x}: {self})", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn default_is_what_a_beam_sends() {
        let names: Vec<_> = DistributionFlags::DEFAULT.names().collect();
        assert_eq!(names.len(), 26, "{names:?}");
        assert!(!DistributionFlags::DEFAULT.intersects(DistributionFlags::NO_MAGIC));
        assert!(DistributionFlags::DEFAULT.contains(DistributionFlags::MANDATORY_26));
        let hidden = DistributionFlags::DEFAULT - DistributionFlags::DEFAULT_HIDDEN;
        assert_eq!(hidden, DistributionFlags::PUBLISHED);
    }

    #[test]
    fn every_flag_is_one_bit_and_named_once() {
        let mut seen = DistributionFlags::NONE;
        for (name, flag) in DistributionFlags::NAMED {
            assert_eq!(flag.bits().count_ones(), 1, "{name}");
            assert!(!seen.intersects(*flag), "{name}");
            seen |= *flag;
        }
    }

    #[test]
    fn the_digest_flag_stands_for_the_set_of_25() {
        let digest = DistributionFlags::from_bits(0x500_0000);
        assert!(digest.missing(DistributionFlags::MANDATORY_25).is_empty());
        let missing = digest.missing(DistributionFlags::MANDATORY_26);
        assert_eq!(missing.names().collect::<Vec<_>>(), ["UNLINK_ID", "V4_NC"]);
    }

    #[test]
    fn unknown_bits_are_shown() {
        let flags = DistributionFlags::PUBLISHED | DistributionFlags::from_bits(1 << 60);
        assert_eq!(flags.to_string(), "PUBLISHED | 0x1000000000000000");
        assert_eq!(DistributionFlags::NONE.to_string(), "none");
    }
}
