//! Who may reach this node, how that is proven, what they may do, and who hears of it.

mod audit;
mod backends;
mod call_pattern;
mod calls;
mod certificates;

pub use audit::{AuditLog, AuditToLog};
pub use backends::{BackendElsewhere, BackendNetworks};
pub use call_pattern::{CallPattern, CallPatternError};
pub(crate) use calls::patterns;
#[cfg(test)]
pub(crate) use calls::{ACTING, CHANGING};
pub use calls::{ALLOWED_BY_DEFAULT, AuditedCalls, CallGuard, CallRules};
pub use certificates::{Authority, CertificatesError, NodeFiles};
