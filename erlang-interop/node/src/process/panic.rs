//! A panic in a process becomes its exit reason.
//!
//! The place of a panic is known only to the panic hook, so the first node puts a hook in front of
//! the one that is installed. Inside a process the hook notes the place and says nothing, since the
//! process's end is logged; elsewhere the former hook runs.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Once;

use erlang_term::{Atom, Term, atom};

use crate::ExitReason;

#[derive(Clone)]
struct Place {
    file: String,
    line: u32,
}

thread_local! {
    static IN_PROCESS: Cell<bool> = const { Cell::new(false) };
    static LAST_PLACE: RefCell<Option<Place>> = const { RefCell::new(None) };
}

/// Installs the hook, once in the program's life.
pub(crate) fn install_hook() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let former = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if IN_PROCESS.get() {
                let place =
                    info.location().map(|at| Place { file: at.file().to_owned(), line: at.line() });
                LAST_PLACE.set(place);
            } else {
                former(info);
            }
        }));
    });
}

/// Runs a piece of a process. A panic gives the exit reason
/// `{{panic, Text}, [{rust, panic, 0, [{file, File}, {line, Line}]}]}`.
pub(crate) fn guarded<T>(run: impl FnOnce() -> T) -> Result<T, ExitReason> {
    let outer = IN_PROCESS.replace(true);
    let result = catch_unwind(AssertUnwindSafe(run));
    IN_PROCESS.set(outer);
    result.map_err(|payload| reason(payload.as_ref(), LAST_PLACE.take()))
}

fn reason(payload: &(dyn Any + Send), place: Option<Place>) -> ExitReason {
    let text = if let Some(text) = payload.downcast_ref::<&str>() {
        text
    } else if let Some(text) = payload.downcast_ref::<String>() {
        text.as_str()
    } else {
        "a panic without text"
    };
    let location = place.map_or(Term::Nil, |place| {
        Term::list([
            pair(atom!("file"), Term::charlist(&place.file)),
            pair(atom!("line"), Term::from(place.line)),
        ])
    });
    let frame = Term::tuple([
        Term::Atom(atom!("rust")),
        Term::Atom(atom!("panic")),
        Term::from(0),
        location,
    ]);
    let error = pair(atom!("panic"), Term::string(text));
    ExitReason::Other(Term::tuple([error, Term::list([frame])]))
}

fn pair(key: Atom, value: Term) -> Term {
    Term::tuple([Term::Atom(key), value])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_tells_what_and_where() {
        install_hook();
        let failed = guarded(|| panic!("no {}", "luck")).expect_err("it panics");
        let text = failed.to_string();
        assert!(text.contains("no luck") && text.contains("panic.rs"), "{text}");
        assert_eq!(guarded(|| 5), Ok(5));
    }
}
