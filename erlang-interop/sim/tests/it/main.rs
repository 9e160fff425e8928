//! Simulated clusters: a few seeds in every test run, more with `HAR_SIM_SEEDS`.

use erlang_sim::{Size, run};

/// Seeds of an ordinary test run: some ten seconds without optimisation.
const SEEDS: u64 = 24;

fn seeds() -> u64 {
    std::env::var("HAR_SIM_SEEDS").ok().and_then(|text| text.parse().ok()).unwrap_or(SEEDS)
}

#[test]
fn clusters_converge_after_partitions_crashes_and_delays() {
    for seed in 0..seeds() {
        let outcome = run(seed, Size::default());
        assert!(
            outcome.faults.is_empty(),
            "seed {seed}: {:#?}\nsee: cargo run -p erlang-sim -- --seed {seed}",
            outcome.faults
        );
        assert!(outcome.events > 200, "seed {seed}: only {} events", outcome.events);
    }
}

/// Seeds that found a fault once: names that reached one node of two, a name missed behind a stalled
/// link, two nodes that started to agree without end, orders that only seemed wrong, a reply of a node
/// that was stopping, names and locks of a node that was lost for a moment, a process that
/// was asked for before the services of its node were counted, a lock that a call set after it had
/// failed, nodes that never began to agree.
#[test]
fn what_was_found_once_stays_cured() {
    let early = [7, 29, 32, 60, 101, 167, 286, 288, 355, 361, 529, 645, 733, 747, 880, 974];
    let later = [908, 1292, 1831, 2341, 2722, 3272, 3644, 3781, 4093, 4176, 4179, 4216, 5523, 5865];
    for seed in early.into_iter().chain(later) {
        let outcome = run(seed, Size::default());
        assert!(outcome.faults.is_empty(), "seed {seed}: {:#?}", outcome.faults);
    }
}

/// A name that a node was taking back everywhere when it ended, and that some of the others kept.
#[test]
fn a_name_half_told_is_said_to_be_so() {
    let outcome = run(3040, Size::default());
    assert!(outcome.faults.is_empty(), "{:#?}", outcome.faults);
    assert_eq!(outcome.excused.len(), 1, "{:#?}", outcome.excused);
}

#[test]
fn a_seed_gives_the_same_run_again() {
    for seed in [1, 2, 3, 1000] {
        assert_eq!(run(seed, Size::default()), run(seed, Size::default()));
    }
}
