//! The process dictionary: terms that code of the process keeps, visible to `process_info`.

use erlang_term::{Atom, Term};

use super::context::Context;

impl Context {
    /// Stores a value in the process dictionary: `put/2`. Returns the value it replaced.
    pub fn put(&self, key: impl Into<Term>, value: impl Into<Term>) -> Option<Term> {
        let (key, value) = (key.into(), value.into());
        let mut state = self.process().lock();
        let dictionary = &mut state.relate().dictionary;
        match dictionary.iter_mut().find(|entry| entry.0 == key) {
            Some(entry) => Some(std::mem::replace(&mut entry.1, value)),
            None => {
                dictionary.push((key, value));
                None
            }
        }
    }

    /// A value of the process dictionary.
    pub fn dictionary_value(&self, key: &Term) -> Option<Term> {
        let state = self.process().lock();
        let dictionary = &state.relations()?.dictionary;
        dictionary.iter().find(|entry| entry.0 == *key).map(|entry| entry.1.clone())
    }

    /// The whole process dictionary.
    pub fn dictionary(&self) -> Vec<(Term, Term)> {
        self.process().lock().relations().map(|all| all.dictionary.clone()).unwrap_or_default()
    }

    /// Removes a value from the process dictionary: `erase/1`.
    pub fn erase(&self, key: &Term) -> Option<Term> {
        let mut state = self.process().lock();
        let dictionary = &mut state.relations_mut()?.dictionary;
        let at = dictionary.iter().position(|entry| entry.0 == *key)?;
        Some(dictionary.swap_remove(at).1)
    }

    /// Says which function this process runs, for `process_info(Pid, initial_call)`.
    pub fn set_initial_call(&self, module: Atom, function: Atom, arity: u8) {
        self.process().lock().relate().initial_call = Some((module, function, arity));
    }
}
