//! Which functions that peers call take their first step on the connection's task.
//!
//! Most are done within it, and a task for each would be most of what they cost. But small arguments
//! don't promise little work (`lists:seq(1, 10000000)`), and while it is done the connection waits. So
//! it is measured, and what took long has a task of its own for a while.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use erlang_term::{Atom, Term};

use crate::limits::{
    BRIEF_ARGUMENTS_BYTES_MAX, BRIEF_STEP_MAX, LONG_STEP_CALLS, LONG_STEP_FUNCTIONS_MAX,
};
use crate::weight::weight;

/// A function by module, name and arity.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Function(Atom, Atom, usize);

impl Function {
    /// The function of a call whose arguments are small enough to begin at once; else none.
    pub(crate) fn of_brief(
        (module, function, arity): (Atom, Atom, usize),
        arguments: &Term,
    ) -> Option<Self> {
        let brief = weight(arguments, BRIEF_ARGUMENTS_BYTES_MAX) < BRIEF_ARGUMENTS_BYTES_MAX;
        brief.then_some(Self(module, function, arity))
    }
}

/// The functions whose first step was long, each with the calls for which that is remembered.
#[derive(Debug, Default)]
pub(crate) struct LongSteps(Mutex<HashMap<Function, u32>>);

impl LongSteps {
    /// Whether this call of the function may begin where it is asked for.
    pub(crate) fn may_be_brief(&self, function: &Function) -> bool {
        let mut functions = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(calls) = functions.get_mut(function) else { return true };
        *calls -= 1;
        if *calls == 0 {
            functions.remove(function);
        }
        false
    }

    /// How long the first step of a call took.
    pub(crate) fn took(&self, function: Function, step: Duration) {
        if step <= BRIEF_STEP_MAX {
            return;
        }
        let mut functions = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if functions.len() < LONG_STEP_FUNCTIONS_MAX {
            functions.insert(function, LONG_STEP_CALLS);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn function(number: usize) -> Function {
        Function(Atom::new("lists").unwrap(), Atom::new("seq").unwrap(), number)
    }

    #[test]
    fn only_calls_with_small_arguments_are_brief() {
        let of = |bytes: usize| {
            let Function(module, name, arity) = function(1);
            Function::of_brief((module, name, arity), &Term::from("x".repeat(bytes).as_str()))
        };
        assert_eq!(of(16), Some(function(1)));
        assert_eq!(of(BRIEF_ARGUMENTS_BYTES_MAX), None);
    }

    #[test]
    fn a_long_step_is_remembered_for_so_many_calls_of_that_function() {
        let steps = LongSteps::default();
        steps.took(function(2), BRIEF_STEP_MAX);
        assert!(steps.may_be_brief(&function(2)));
        steps.took(function(2), BRIEF_STEP_MAX + Duration::from_micros(1));
        assert!(steps.may_be_brief(&function(3)));
        let refused = (0..=LONG_STEP_CALLS).filter(|_| !steps.may_be_brief(&function(2)));
        assert_eq!(refused.count(), LONG_STEP_CALLS as usize);
        assert!(steps.may_be_brief(&function(2)));
    }

    #[test]
    fn so_many_functions_are_remembered_and_no_more() {
        let steps = LongSteps::default();
        for number in 0..=LONG_STEP_FUNCTIONS_MAX {
            steps.took(function(number), Duration::from_secs(1));
        }
        assert!(!steps.may_be_brief(&function(0)));
        assert!(steps.may_be_brief(&function(LONG_STEP_FUNCTIONS_MAX)));
    }
}
