//! What a message costs on its way through both halves of a connection: encoding with the atom cache,
//! framing, output, cutting into frames, and parsing.

use std::hint::black_box;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use erlang_dist::{Connection, ConnectionConfig, Control, DistributionFlags};
use erlang_term::Term;

#[path = "../tests/it/messages.rs"]
mod messages;

const NOW: Duration = Duration::ZERO;
/// Messages in one write.
const BATCH: usize = 100;

fn end(flags: DistributionFlags) -> Connection {
    Connection::with_flags(ConnectionConfig::default(), flags, NOW)
}

fn small(criterion: &mut Criterion) {
    let cached = DistributionFlags::DEFAULT;
    let plain = cached - DistributionFlags::DIST_HDR_ATOM_CACHE;
    for (label, flags) in [("cache", cached), ("plain", plain)] {
        let mut group = criterion.benchmark_group(format!("small/{label}"));
        group.throughput(Throughput::Elements(BATCH as u64));
        for (name, control, payload) in messages::messages() {
            let (mut sender, mut output) = (end(flags), Vec::new());
            group.bench_function(format!("send/{name}"), |bencher| {
                bencher.iter(|| write(&mut sender, &control, &payload, &mut output));
            });
            let (mut sender, mut receiver) = (end(flags), end(flags));
            let mut bytes = BytesMut::new();
            group.bench_function(format!("both/{name}"), |bencher| {
                bencher.iter(|| {
                    write(&mut sender, &control, &payload, &mut output);
                    for chunk in output.drain(..) {
                        bytes.extend_from_slice(&chunk);
                    }
                    receiver.handle_input(NOW, bytes.split().freeze());
                    while let Some(event) = receiver.poll_event().expect("good") {
                        black_box(event);
                    }
                });
            });
        }
        group.finish();
    }
}

fn write(
    sender: &mut Connection,
    control: &Control,
    payload: &Option<Term>,
    output: &mut Vec<Bytes>,
) {
    output.clear();
    for _ in 0..BATCH {
        sender.send(control.clone(), payload.clone()).expect("fits");
    }
    while sender.poll_output(output) > 0 {}
}

fn large(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("large");
    for bytes in [64 << 10, 1 << 20, 64 << 20] {
        group.throughput(Throughput::Bytes(bytes as u64));
        let payload = Term::binary(vec![7; bytes]);
        let [from, to] = messages::processes();
        let control = Control::SendSender { from, to, token: None };
        let (mut sender, mut output) = (end(DistributionFlags::DEFAULT), Vec::new());
        let mut receiver = end(DistributionFlags::DEFAULT);
        group.bench_function(format!("{}KiB", bytes >> 10), |bencher| {
            bencher.iter(|| {
                sender.send(control.clone(), Some(payload.clone())).expect("fits");
                while sender.poll_output(&mut output) > 0 {
                    for chunk in output.drain(..) {
                        receiver.input_space().extend_from_slice(&chunk);
                        receiver.input_filled(NOW);
                        while let Some(event) = receiver.poll_event().expect("good") {
                            black_box(event);
                        }
                    }
                }
            });
        });
    }
    group.finish();
}

criterion_group!(benches, small, large);
criterion_main!(benches);
