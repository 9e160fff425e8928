//! OTP's codec, timed inside a BEAM.

use std::io::{Read, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use bytes::Bytes;
use erlang_term::{Term, decode, encode};

pub(crate) struct Otp {
    child: Child,
    input: ChildStdin,
    output: ChildStdout,
}

impl Otp {
    pub(crate) fn start() -> Self {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/codec/otp.escript");
        let mut child = Command::new("escript")
            .arg(script)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("`escript` is needed: install Erlang/OTP (Debian: erlang-base)");
        let input = child.stdin.take().expect("piped");
        let output = child.stdout.take().expect("piped");
        Self { child, input, output }
    }

    /// Nanoseconds for all repetitions of `decode`, `encode`, `iovec` or `read_key`.
    pub(crate) fn time(&mut self, what: &'static str, encoded: &Bytes, repetitions: u64) -> f64 {
        let request = Term::from((Term::atom(what), encoded.clone(), repetitions));
        let bytes = encode(&request);
        self.input.write_all(&(bytes.len() as u32).to_be_bytes()).expect("the BEAM reads");
        self.input.write_all(&bytes).expect("the BEAM reads");
        let mut len = [0; 4];
        self.output.read_exact(&mut len).expect("an answer of the BEAM");
        let mut answer = vec![0; u32::from_be_bytes(len) as usize];
        self.output.read_exact(&mut answer).expect("an answer of the BEAM");
        decode(&answer.into()).expect("a term").as_integer().expect("nanoseconds") as f64
    }
}

impl Drop for Otp {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
