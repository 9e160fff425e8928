//! Where a node is.

use crate::config::{PlaceName, Settings};

/// Region and zone of a node, as far as they are known.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Place {
    /// The region: `eu`.
    pub region: PlaceName,
    /// The zone within the region: `eu-west-1a`.
    pub zone: PlaceName,
}

/// How near a place is, without measuring.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(crate) enum Nearness {
    /// In the same zone; also what a node thinks of all others that does not know where it is.
    #[default]
    Zone,
    /// In the same region.
    Region,
    /// Elsewhere, or nobody knows where.
    Elsewhere,
}

impl Place {
    /// Where this node is.
    pub(crate) fn of(settings: &Settings) -> Self {
        Self { region: settings.region.value.clone(), zone: settings.zone.value.clone() }
    }

    /// How near another place is.
    pub(crate) fn nearness(&self, other: &Self) -> Nearness {
        match (self.region.known(), self.zone.known()) {
            (None, _) => Nearness::Zone,
            (region, _) if region != other.region.known() => Nearness::Elsewhere,
            (_, zone) if zone.is_some() && zone == other.zone.known() => Nearness::Zone,
            _ => Nearness::Region,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(crate) fn place(region: &str, zone: &str) -> Place {
        Place { region: region.parse().expect("plain"), zone: zone.parse().expect("plain") }
    }

    #[test]
    fn the_own_zone_is_nearest_then_the_own_region() {
        let own = place("eu", "a");
        for (other, want) in [
            (place("eu", "a"), Nearness::Zone),
            (place("eu", "b"), Nearness::Region),
            (place("eu", ""), Nearness::Region),
            (place("us", "a"), Nearness::Elsewhere),
            (place("", ""), Nearness::Elsewhere),
        ] {
            assert_eq!(own.nearness(&other), want, "{other:?}");
        }
        assert_eq!(place("eu", "").nearness(&place("eu", "")), Nearness::Region);
        assert_eq!(Place::default().nearness(&own), Nearness::Zone);
        assert!(Nearness::Zone < Nearness::Region && Nearness::Region < Nearness::Elsewhere);
    }
}
