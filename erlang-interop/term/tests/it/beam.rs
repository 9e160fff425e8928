//! Random terms through a real BEAM: what it reads, writes, hashes and orders must be what we do.
//!
//! `ERLANG_TERM_BEAM_TERMS` sets how many, e.g. 1000000.

use std::io::{Read, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use bytes::Bytes;
use erlang_term::{Closure, ClosureParts, Fun, Pid, Term, atom, decode, encode};
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;

use crate::strategy::term;

const TERMS_DEFAULT: usize = 2_000;
const BATCH_TERMS: usize = 500;
/// A BEAM keeps every atom and every `fun M:F/A` it has read and dies when its tables of them are
/// full, so that a new one takes over after this many batches.
const BATCHES_PER_BEAM: usize = 50;

/// Answers each list of encoded terms with what it makes of them.
const SERVER: &str = r#"
    Port = open_port({fd, 0, 1}, [{packet, 4}, binary]),
    One = fun(Bin) ->
        T = binary_to_term(Bin),
        {term_to_binary(T), erlang:phash2(T), erlang:phash2(T, 1 bsl 32), erlang:phash(T, 1 bsl 32)}
    end,
    Rel = fun(A, B) ->
        if A =:= B -> exact; A == B -> equal; A < B -> less; true -> greater end
    end,
    Loop = fun(Loop) ->
        receive
            {Port, {data, Data}} ->
                Bins = binary_to_term(Data),
                Ts = [binary_to_term(B) || B <- Bins],
                Rels = lists:zipwith(Rel, Ts, tl(Ts) ++ [hd(Ts)]),
                port_command(Port, term_to_binary({[One(B) || B <- Bins], Rels})),
                Loop(Loop);
            _ -> halt(0)
        end
    end,
    process_flag(trap_exit, true),
    port_command(Port, term_to_binary(list_to_integer(erlang:system_info(otp_release)))),
    Loop(Loop).
"#;

struct Beam {
    child: Child,
    input: ChildStdin,
    output: ChildStdout,
}

impl Beam {
    /// A BEAM that waits for terms, and its release.
    fn start() -> (Self, i64) {
        let mut child = Command::new("erl")
            .args(["-noinput", "-boot", "start_clean", "-eval", SERVER])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("`erl` is needed: install Erlang/OTP 25 or later (Debian: erlang-base)");
        let input = child.stdin.take().expect("piped");
        let output = child.stdout.take().expect("piped");
        let mut beam = Self { child, input, output };
        let release = beam.receive().as_integer().expect("the release's number");
        (beam, release)
    }

    fn receive(&mut self) -> Term {
        let mut len = [0; 4];
        self.output.read_exact(&mut len).expect("an answer of the BEAM");
        let mut bytes = vec![0; u32::from_be_bytes(len) as usize];
        self.output.read_exact(&mut bytes).expect("an answer of the BEAM");
        decode(&Bytes::from(bytes)).expect("a term")
    }

    fn call(&mut self, request: &Term) -> Term {
        let bytes = encode(request);
        self.input.write_all(&(bytes.len() as u32).to_be_bytes()).expect("the BEAM reads");
        self.input.write_all(&bytes).expect("the BEAM reads");
        self.receive()
    }
}

impl Drop for Beam {
    fn drop(&mut self) {
        // It ends by itself at the end of its input; this only makes sure.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// From 27 on a BEAM forgets which process made a closure.
fn of_no_maker(term: &Term) -> Term {
    match term {
        Term::Fun(Fun::Closure(closure)) => {
            let mut parts = ClosureParts::clone(closure);
            parts.pid = Pid::new(atom!("nobody"), 0, 0, 0);
            parts.free = parts.free.iter().map(of_no_maker).collect();
            Term::Fun(Fun::Closure(Closure::new(parts)))
        }
        Term::Tuple(tuple) => Term::tuple(tuple.iter().map(of_no_maker)),
        Term::List(list) => Term::improper_list(
            list.iter().map(|element| of_no_maker(&element)),
            of_no_maker(list.tail()),
        ),
        Term::Map(map) => {
            Term::map(map.iter().map(|(key, value)| (of_no_maker(key), of_no_maker(value))))
        }
        other => other.clone(),
    }
}

fn check_one(term: &Term, answer: &Term, release: i64) {
    let [bytes, phash2, phash2_32, phash_32] = answer.as_tuple().expect("a tuple") else {
        panic!("an answer of four parts: {answer}")
    };
    let bytes = Bytes::copy_from_slice(bytes.as_binary().expect("a binary"));
    let back = decode(&bytes).expect("a term");
    if release >= 27 {
        assert_eq!(of_no_maker(&back), of_no_maker(term));
    } else {
        assert_eq!(&back, term);
    }
    assert_eq!(phash2, &Term::from(term.phash2()), "phash2 of {term}");
    assert_eq!(phash2_32, &Term::from(term.phash2_range(1 << 32)), "phash2_32 of {term}");
    assert_eq!(phash_32, &Term::from(term.phash(1 << 32)), "phash_32 of {term}");
}

fn relation(left: &Term, right: &Term, release: i64) -> &'static str {
    let exact = if release >= 27 { left == right } else { left.exactly_equals_otp26(right) };
    match left.cmp_order(right) {
        _ if exact => "exact",
        std::cmp::Ordering::Equal => "equal",
        std::cmp::Ordering::Less => "less",
        std::cmp::Ordering::Greater => "greater",
    }
}

#[test]
fn a_beam_agrees_on_random_terms() {
    let count = std::env::var("ERLANG_TERM_BEAM_TERMS")
        .map_or(TERMS_DEFAULT, |count| count.parse().expect("a number of terms"));
    let (mut beam, release) = Beam::start();
    let mut runner = TestRunner::default();
    let strategy = term();
    let mut generate = || strategy.new_tree(&mut runner).expect("generated").current();
    for batch in 1..=count.div_ceil(BATCH_TERMS) {
        if batch % BATCHES_PER_BEAM == 0 {
            (beam, _) = Beam::start();
            println!("{} terms agree", (batch - 1) * BATCH_TERMS);
        }
        let terms: Vec<Term> = (0..BATCH_TERMS).map(|_| generate()).collect();
        let answer = beam.call(&Term::list(terms.iter().map(|term| Term::binary(encode(term)))));
        let [answers, relations] = answer.as_tuple().expect("a pair") else { panic!("a pair") };
        for (term, answer) in terms.iter().zip(answers.list_iter().expect("a list")) {
            check_one(term, &answer, release);
        }
        for (at, beams) in relations.list_iter().expect("a list").enumerate() {
            let (left, right) = (&terms[at], &terms[(at + 1) % terms.len()]);
            let ours = relation(left, right, release);
            assert!(beams.is_atom(ours), "{left} {beams} {right}, here {ours}");
        }
    }
}
