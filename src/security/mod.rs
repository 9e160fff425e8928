//! Who may reach this node and how that is proven.

mod certificates;

pub use certificates::{Authority, CertificatesError, NodeFiles};
