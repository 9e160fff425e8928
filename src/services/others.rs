//! Small modules of the Elixir HAR: IPFS, security, the health of the web end point.

use std::fmt::Write;

use erlang_interop::otp::{Exception, FunctionsBuilder, Outcome};
use erlang_interop::term::{Term, term};
use sha2::{Digest, Sha256};

use super::errors::ok;

/// Hex digits of the digest in an id. spec: contract 1.2, `HAR.IPFS.Node.store/1`
const CID_DIGITS: usize = 45;

pub(super) fn register(functions: &mut FunctionsBuilder) {
    functions.pure("Elixir.HAR.IPFS.Node", "store", 1, |args| store(&args[0]));
    functions.pure("Elixir.HAR.IPFS.Node", "retrieve", 1, |_| Ok(term!({error, not_implemented})));
    functions.pure("Elixir.HAR.Web.Endpoint", "health_check", 0, |_| {
        Ok(ok(term!(#{status => "healthy", version => (env!("CARGO_PKG_VERSION"))})))
    });
}

fn store(content: &Term) -> Outcome {
    let bytes = content.as_binary().ok_or_else(Exception::function_clause)?;
    let mut id = "Qm".to_owned();
    for byte in Sha256::digest(bytes) {
        write!(id, "{byte:02x}").expect("writing to a string cannot fail");
    }
    id.truncate("Qm".len() + CID_DIGITS);
    Ok(ok(Term::from(id)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_ids_are_those_of_the_elixir_har() {
        let want = term!({ok, "Qmba7816bf8f01cfea414140de5dae2223b00361a396177"});
        assert_eq!(store(&Term::from("abc")), Ok(want));
    }
}
