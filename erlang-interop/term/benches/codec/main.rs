//! Decoding and encoding beside eetf, erltf and OTP, in one run: `cargo bench -p erlang-term --bench codec`.
//!
//! The sides take turns within each round, so that a busy machine slows all of them; the best round of
//! each is compared, since what others do on the machine only ever adds. Ratios above 1 mean that we
//! are faster. Dropping what was decoded counts for the Rust sides; a BEAM pays for it in its
//! collector.
//!
//! The last column is beside the fastest of the others. The geometric means are of that column, over
//! all mixes and without the large binaries: those are not copied when they are read, so that their
//! ratios would hide all others.

#![expect(clippy::print_stdout, reason = "a report is what this program is for")]

mod corpus;
mod otp;

use std::hint::black_box;
use std::time::Instant;

use bytes::Bytes;

const ROUNDS: usize = 15;
/// What one side may take of one round.
const ROUND_NANOSECONDS: f64 = 5e6;

const SIDES: [&str; 4] = ["ours", "eetf", "erltf", "OTP"];

fn time(repetitions: u64, mut work: impl FnMut()) -> f64 {
    let start = Instant::now();
    for _ in 0..repetitions {
        work();
    }
    start.elapsed().as_nanos() as f64
}

fn best(times: Vec<f64>) -> f64 {
    times.into_iter().fold(f64::INFINITY, f64::min)
}

/// The fewest nanoseconds for one operation of each side.
fn measure<const N: usize>(mut sides: [Box<dyn FnMut(u64) -> f64 + '_>; N]) -> [f64; N] {
    let repetitions: Vec<u64> = sides
        .iter_mut()
        .map(|side| {
            side(1);
            (ROUND_NANOSECONDS / side(1).max(1.0)).clamp(1.0, 100_000.0) as u64
        })
        .collect();
    let mut times = [const { Vec::new() }; N];
    for _ in 0..ROUNDS {
        for (at, side) in sides.iter_mut().enumerate() {
            times[at].push(side(repetitions[at]) / repetitions[at] as f64);
        }
    }
    times.map(best)
}

fn decoding(bytes: &Bytes, otp: &mut otp::Otp) -> [f64; 4] {
    measure([
        Box::new(|n| time(n, || drop(black_box(erlang_term::decode(black_box(bytes)))))),
        Box::new(|n| time(n, || drop(black_box(eetf::Term::decode(black_box(&**bytes)))))),
        Box::new(|n| time(n, || drop(black_box(erltf::decode(black_box(bytes)))))),
        Box::new(|n| otp.time("decode", bytes, n)),
    ])
}

fn encoding(bytes: &Bytes, otp: &mut otp::Otp) -> [f64; 4] {
    let ours = erlang_term::decode(bytes).expect("our own encoding");
    let eetf = eetf::Term::decode(&**bytes).expect("eetf reads it");
    let erltf = erltf::decode(bytes).expect("erltf reads it");
    measure([
        Box::new(|n| time(n, || drop(black_box(erlang_term::encode(black_box(&ours)))))),
        Box::new(|n| {
            time(n, || {
                let mut encoded = Vec::new();
                black_box(&eetf).encode(&mut encoded).expect("encodable");
                black_box(encoded);
            })
        }),
        Box::new(|n| time(n, || drop(black_box(erltf::encode(black_box(&erltf)))))),
        Box::new(|n| otp.time("encode", bytes, n)),
    ])
}

fn print_row(name: &str, times: &[f64]) {
    let human = |nanoseconds: f64| match nanoseconds {
        small if small < 1e4 => format!("{small:.0} ns"),
        middle if middle < 1e7 => format!("{:.1} µs", middle / 1e3),
        large => format!("{:.1} ms", large / 1e6),
    };
    let mut row = format!("{name:<38} {:>10}", human(times[0]));
    for other in &times[1..] {
        row += &format!(" {:>10} {:>6.2}x", human(*other), other / times[0]);
    }
    if times.len() > 2 {
        row += &format!(" {:>10.2}x", beside_fastest(times));
    }
    println!("{row}");
}

/// How many times our time the fastest of the others takes.
fn beside_fastest(times: &[f64]) -> f64 {
    times[1..].iter().copied().fold(f64::INFINITY, f64::min) / times[0]
}

fn geometric_mean(ratios: &[f64]) -> f64 {
    (ratios.iter().map(|ratio| ratio.ln()).sum::<f64>() / ratios.len() as f64).exp()
}

fn main() {
    let mut otp = otp::Otp::start();
    println!(
        "{:<38} {:>10} {}",
        "",
        SIDES[0],
        SIDES[1..].iter().map(|side| format!("{side:>10} ours is")).collect::<String>()
            + "  beside the fastest"
    );
    for (operation, run) in
        [("decode", decoding as fn(&Bytes, &mut otp::Otp) -> [f64; 4]), ("encode", encoding)]
    {
        let (mut all, mut without_binaries) = (Vec::new(), Vec::new());
        for (name, term) in corpus::mixes() {
            let bytes = Bytes::from(erlang_term::encode(&term));
            let times = run(&bytes, &mut otp);
            let ratio = beside_fastest(&times);
            all.push(ratio);
            if term.as_binary().is_none() {
                without_binaries.push(ratio);
            }
            print_row(&format!("{operation} {name}"), &times);
        }
        println!(
            "{operation}: geometric mean beside the fastest {:.2}x, without the binaries {:.2}x",
            geometric_mean(&all),
            geometric_mean(&without_binaries)
        );
    }
    let bytes = Bytes::from(erlang_term::encode(&corpus::routed()));
    let viewed = measure([
        Box::new(|n| {
            time(n, || {
                black_box(target(black_box(&bytes)));
            })
        }),
        Box::new(|n| otp.time("read_key", &bytes, n)),
    ]);
    print_row("read one key of a message (beside OTP)", &viewed);
    let large = erlang_term::Term::binary(vec![7u8; 64 << 20]);
    let encoded = Bytes::from(erlang_term::encode(&large));
    let vectored = measure([
        Box::new(|n| {
            time(n, || {
                let mut chunks = Chunks::default();
                encode_to(&large, &mut chunks);
                black_box(chunks);
            })
        }),
        Box::new(|n| otp.time("iovec", &encoded, n)),
    ]);
    print_row("64 MiB for a vectored write (OTP: iovec)", &vectored);
    let mut kept = Vec::with_capacity(encoded.len());
    let kept = measure([
        Box::new(|n| {
            time(n, || {
                kept.clear();
                encode_to(&large, &mut kept);
                black_box(&kept);
            })
        }),
        Box::new(|n| otp.time("encode", &encoded, n)),
    ]);
    print_row("64 MiB into a buffer that is kept (OTP)", &kept);
}

fn encode_to(term: &erlang_term::Term, sink: &mut impl erlang_term::Sink) {
    erlang_term::encode_to(black_box(term), sink, &mut erlang_term::NoAtomRefs).expect("encodable");
}

fn target(bytes: &Bytes) -> Option<&str> {
    erlang_term::view::TermView::new(bytes).ok()?.key("target").ok()??.as_str()
}

/// What a node hands to a vectored write: copied bytes and shared binaries.
#[derive(Default)]
struct Chunks {
    copied: Vec<u8>,
    shared: Vec<Bytes>,
}

impl erlang_term::Sink for Chunks {
    fn put(&mut self, bytes: &[u8]) {
        self.copied.extend_from_slice(bytes);
    }

    fn put_shared(&mut self, bytes: Bytes) {
        self.shared.push(bytes);
    }

    fn shared_bytes_min(&self) -> usize {
        4096
    }
}
