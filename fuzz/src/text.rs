//! Any text as a term in Erlang's and Elixir's syntax: no panic, and what is printed is read again
//! equal.

use erlang_term::{Term, parse_elixir, parse_erlang};

/// Runs one input.
pub fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(term) = parse_erlang(text) {
        again(&term);
    }
    if let Ok(term) = parse_elixir(text) {
        again(&term);
    }
}

fn again(term: &Term) {
    let printed = term.to_string();
    // Funs, pids and the like have no text that stands for them.
    if let Ok(again) = parse_erlang(&printed) {
        assert_eq!(again, *term, "{printed}");
    }
}
