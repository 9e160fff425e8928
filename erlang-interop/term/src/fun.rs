//! Funs: names of exported functions, and closures kept whole.

use std::fmt;
use std::sync::Arc;

use crate::atom::Atom;
use crate::identifier::Pid;
use crate::limits::RECURSION_LEVELS_MAX;
use crate::order;
use crate::release;
use crate::term::Term;

/// A function value. Closures come before exported functions in the order of terms.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Fun {
    /// A closure, which needs the code of its module. Kept with every field, so that it can be
    /// passed on unchanged.
    Closure(Closure),
    /// `fun M:F/A`, which any node that has the module can call.
    Export(ExportFun),
}

impl Fun {
    /// `fun module:function/arity`.
    #[must_use]
    pub fn export(module: Atom, function: Atom, arity: u8) -> Self {
        Self::Export(ExportFun(Arc::new((module, function, arity))))
    }

    /// The module that has the code.
    #[must_use]
    pub fn module(&self) -> &Atom {
        match self {
            Self::Export(export) => export.module(),
            Self::Closure(closure) => &closure.0.module,
        }
    }

    /// The number of arguments.
    #[must_use]
    pub fn arity(&self) -> u8 {
        match self {
            Self::Export(export) => export.arity(),
            Self::Closure(closure) => closure.0.arity,
        }
    }
}

/// `fun M:F/A`. spec: erl_ext_dist, "EXPORT_EXT".
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ExportFun(Arc<(Atom, Atom, u8)>);

impl ExportFun {
    /// The module.
    #[must_use]
    pub fn module(&self) -> &Atom {
        &self.0.0
    }

    /// The function's name.
    #[must_use]
    pub fn function(&self) -> &Atom {
        &self.0.1
    }

    /// The number of arguments.
    #[must_use]
    pub fn arity(&self) -> u8 {
        self.0.2
    }
}

/// A closure: all that travels of it. spec: erl_ext_dist, "NEW_FUN_EXT".
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Closure(Arc<ClosureParts>);

/// The fields of a closure, in the order in which they are written.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct ClosureParts {
    /// The number of arguments, without the free variables.
    pub arity: u8,
    /// The MD5 of the significant parts of the module's code.
    pub uniq: [u8; 16],
    /// The closure's number in the module's new table of funs.
    pub index: u32,
    /// The module whose code the closure runs.
    pub module: Atom,
    /// The closure's number in the module's old table of funs.
    pub old_index: i32,
    /// The old hash of the closure's parse tree.
    pub old_uniq: i32,
    /// The process that made the closure.
    pub pid: Pid,
    /// The free variables' values.
    pub free: Vec<Term>,
}

impl Closure {
    /// A closure of these parts.
    #[must_use]
    pub fn new(parts: ClosureParts) -> Self {
        Self(Arc::new(parts))
    }
}

impl std::ops::Deref for Closure {
    type Target = ClosureParts;

    fn deref(&self) -> &ClosureParts {
        &self.0
    }
}

impl PartialOrd for Closure {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Closure {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        order::closures::<{ order::EXACT }>(self, other, RECURSION_LEVELS_MAX)
    }
}

impl Closure {
    /// Orders by what the BEAM compares before the free variables.
    pub(crate) fn compare_before_free(&self, other: &Self) -> std::cmp::Ordering {
        self.module
            .cmp(&other.module)
            .then(self.index.cmp(&other.index))
            .then(self.old_uniq.cmp(&other.old_uniq))
            .then(self.free.len().cmp(&other.free.len()))
    }

    /// Orders by all that the BEAM does not compare.
    pub(crate) fn compare_after_free(&self, other: &Self) -> std::cmp::Ordering {
        let rest = |closure: &Self| (closure.uniq, closure.arity, closure.old_index);
        self.pid.cmp(&other.pid).then_with(|| rest(self).cmp(&rest(other)))
    }

    /// What this alone holds, if there are containers in it.
    pub(crate) fn sole(&mut self) -> Option<release::Parts<'_>> {
        Arc::get_mut(&mut self.0).map(|parts| [&mut *parts.free, &mut []])
    }
}

impl Drop for Closure {
    fn drop(&mut self) {
        if let Some(parts) = self.sole() {
            release::release(parts);
        }
    }
}

/// Prints `fun M:F/A`, or `#Fun<M.Index.Uniq>` for a closure, as Erlang does.
impl fmt::Display for Fun {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Export(export) => {
                write!(
                    formatter,
                    "fun {}:{}/{}",
                    export.module(),
                    export.function(),
                    export.arity()
                )
            }
            Self::Closure(closure) => write!(
                formatter,
                "#Fun<{}.{}.{}>",
                closure.module.as_str(),
                closure.old_index,
                closure.old_uniq
            ),
        }
    }
}

impl fmt::Debug for Fun {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}
