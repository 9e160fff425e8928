//! Strangers that are many, or want much of one thing.

use std::io::Write as _;

use erlang_interop::term::{Term, encode, term};
use socket2::SockRef;

use super::case::{Case, End, Phase, inside, outside};
use super::line::dial;
use super::stranger::{Stranger, framed};
use crate::running::PATIENCE;
use End::{Cut, Leaves, Stays};
use Phase::{Bare, Connected, Named, Open};

pub(crate) const CASES: &[&[Case]] = &[CONNECTIONS, RELATIONS, PROCESSES, MESSAGES];

/// Idle connections, more than may be pending.
const CROWD: u16 = 300;

/// Ends a connection by a reset.
fn reset(stream: &std::net::TcpStream) {
    SockRef::from(stream).set_linger(Some(std::time::Duration::ZERO)).expect("set");
}

const CONNECTIONS: &[Case] = &[
    outside("a crowd that connects and says nothing", Bare, Leaves, |s| {
        let crowd: Vec<_> = (0..CROWD).map(|_| dial(s.target.port)).collect();
        // One that knows what it wants is let in beside it.
        let honest = s.target.clone();
        let mut late = Stranger::dial(&honest, "late@127.0.0.1", true, Connected);
        assert!(late.is_answered());
        drop(crowd);
    }),
    outside("a crowd that connects and resets", Bare, Leaves, |s| {
        for _ in 0..CROWD * 2 {
            let stream = dial(s.target.port);
            reset(&stream);
        }
    }),
    outside("a crowd that says half of a name", Bare, Leaves, |s| {
        let crowd: Vec<_> = (0..CROWD)
            .map(|_| {
                let mut stream = dial(s.target.port);
                // The node may have given it up already.
                let _ = stream.write_all(&[0, 40, b'N', 0]);
                stream
            })
            .collect();
        let mut late = Stranger::dial(&s.target, "late@127.0.0.1", true, Connected);
        assert!(late.is_answered());
        drop(crowd);
    }),
    outside("a crowd that speaks garbage", Bare, Leaves, |s| {
        for number in 0..CROWD {
            let mut stream = dial(s.target.port);
            let _ = stream.write_all(&[number.to_be_bytes()[1]; 200]);
        }
    }),
    outside("a crowd under one name", Open, Leaves, |s| {
        for _ in 0..60 {
            drop(Stranger::dial(&s.target, "one@127.0.0.1", false, Named));
        }
    }),
    outside("a crowd under many names", Open, Leaves, |s| {
        let crowd: Vec<_> = (0..100).map(|n| s.another(&format!("crowd{n}"), Named)).collect();
        let mut late = Stranger::dial(&s.target, "late@127.0.0.1", true, Connected);
        assert!(late.is_answered());
        drop(crowd);
    }),
    outside("a crowd that resets amid the handshake", Open, Leaves, |s| {
        for number in 0..60 {
            let one = s.another(&format!("reset{number}"), Named);
            reset(one.line.socket());
        }
    }),
    inside("a crowd that knows the cookie", Connected, Stays, |s| {
        let mut crowd: Vec<_> =
            (0..100).map(|n| s.another(&format!("known{n}"), Connected)).collect();
        assert!(crowd.iter_mut().all(Stranger::is_answered));
        drop(crowd);
    }),
    inside("a crowd that knows the cookie, comes and goes", Connected, Stays, |s| {
        for number in 0..100 {
            drop(s.another(&format!("passing{number}"), Connected));
        }
    }),
    inside("a crowd that knows the cookie and resets", Connected, Stays, |s| {
        for number in 0..50 {
            let mut one = s.another(&format!("rough{number}"), Connected);
            let link = term!({1, (one.pid(1)), (one.victim("rex"))});
            one.control(&link, None);
            reset(one.line.socket());
        }
    }),
];

/// Many frames, each with another number put where it belongs, sent in few writes.
fn frames(
    stranger: &mut Stranger,
    count: u32,
    one: impl Fn(&Stranger, u32) -> (Term, Option<Term>),
) {
    let mut bytes = Vec::new();
    for number in 0..count {
        let (control, payload) = one(stranger, number);
        bytes.extend(super::stranger::controlled(&control, payload.as_ref()));
        if bytes.len() > 1 << 18 || number + 1 == count {
            stranger.say(&bytes);
            bytes.clear();
        }
    }
}

const RELATIONS: &[Case] = &[
    inside("monitors of one process", Connected, Stays, |s| {
        frames(s, 20_000, |s, n| {
            (term!({19, (s.pid(n)), (s.victim("rex")), (s.reference(n))}), None)
        });
    }),
    inside("monitors of one name", Connected, Stays, |s| {
        frames(s, 20_000, |s, n| (term!({19, (s.pid(n)), rex, (s.reference(n))}), None));
    }),
    inside("monitors of names that nobody has", Connected, Stays, |s| {
        frames(s, 10_000, |s, n| (term!({19, (s.pid(n)), nobody, (s.reference(n))}), None));
    }),
    inside("one monitor again and again", Connected, Stays, |s| {
        frames(s, 20_000, |s, _| (term!({19, (s.pid(1)), rex, (s.reference(1))}), None));
    }),
    inside("monitors set and taken back", Connected, Stays, |s| {
        frames(s, 20_000, |s, n| {
            let operation = if n % 2 == 0 { 19 } else { 20 };
            (term!({(operation), (s.pid(1)), rex, (s.reference(n / 2))}), None)
        });
    }),
    inside("links to one process", Connected, Stays, |s| {
        frames(s, 20_000, |s, n| (term!({1, (s.pid(n)), (s.victim("rex"))}), None));
    }),
    inside("links to one that is not there", Connected, Stays, |s| {
        let gone = s.victim("rex");
        let gone =
            erlang_interop::term::Pid::new(gone.node().clone(), 99_999_999, 0, gone.creation());
        frames(s, 10_000, move |s, n| (term!({1, (s.pid(n)), (&gone)}), None));
    }),
    inside("links set and taken back", Connected, Stays, |s| {
        frames(s, 20_000, |s, n| {
            let (from, to) = (s.pid(n / 2), s.victim("rex"));
            (if n % 2 == 0 { term!({1, (from), (to)}) } else { term!({35, 7, (from), (to)}) }, None)
        });
    }),
    inside("links that end", Connected, Stays, |s| {
        frames(s, 20_000, |s, n| {
            let (from, to) = (s.pid(n / 2), s.victim("global_name_server"));
            match n % 2 {
                0 => (term!({1, (from), (to)}), None),
                _ => (term!({24, (from), (to)}), Some(term!(normal))),
            }
        });
    }),
    inside("links and monitors of all that can be seen", Connected, Stays, |s| {
        let victims: Vec<_> = s.target.processes.iter().map(|(_, pid)| pid.clone()).collect();
        frames(s, 12_000, move |s, n| {
            let victim = &victims[n as usize % victims.len()];
            match n % 2 {
                0 => (term!({1, (s.pid(n)), (victim)}), None),
                _ => (term!({19, (s.pid(n)), (victim), (s.reference(n))}), None),
            }
        });
    }),
];

/// Spawn requests of a function, with options.
fn spawns(stranger: &mut Stranger, count: u32, options: &Term, mfa: &Term, arguments: &Term) {
    frames(stranger, count, |s, n| {
        let from = s.pid(1);
        let request = term!({29, (s.reference(n)), (&from), (from), (mfa), (options)});
        (request, Some(arguments.clone()))
    });
}

const PROCESSES: &[Case] = &[
    inside("processes that end at once", Connected, Stays, |s| {
        spawns(s, 10_000, &Term::Nil, &term!({erlang, node, 0}), &Term::Nil);
    }),
    inside("processes of no function", Connected, Stays, |s| {
        spawns(s, 5_000, &term!([monitor]), &term!({nothing, nothing, 0}), &Term::Nil);
    }),
    inside("processes that sleep, linked to nobody long", Connected, Leaves, |s| {
        // The link ends them with the connection.
        spawns(s, 10_000, &term!([link]), &term!({timer, sleep, 1}), &term!([infinity]));
    }),
    inside("processes that sleep for a while", Connected, Stays, |s| {
        spawns(s, 5_000, &Term::Nil, &term!({timer, sleep, 1}), &term!([1500]));
    }),
    inside("processes that sleep on long arguments", Connected, Stays, |s| {
        let parents = term!([(mebibyte(0))]);
        let arguments = term!([(s.pid(1)), (parents), timer, sleep, [1500]]);
        spawns(s, 400, &Term::Nil, &term!({proc_lib, init_p, 5}), &arguments);
    }),
    inside("processes with options that are none", Connected, Stays, |s| {
        spawns(s, 5_000, &term!([nonsense, {a, b, c}]), &term!({erlang, node, 0}), &Term::Nil);
    }),
    inside("processes with a thousand options", Connected, Stays, |s| {
        let options = Term::list((0..1000).map(|_| Term::atom("link")));
        spawns(s, 50, &options, &term!({erlang, node, 0}), &Term::Nil);
    }),
    inside("processes whose arguments are wrong", Connected, Stays, |s| {
        spawns(s, 2_000, &Term::Nil, &term!({erlang, node, 0}), &term!([1, 2, 3]));
    }),
    inside("tasks of the supervisor", Connected, Stays, |s| {
        frames(s, 2_000, |s, n| {
            let (pid, tag) = (s.pid(1), s.reference(n));
            let start =
                term!({start_task, [{(s.atom()), (&pid), (&pid)}, monitor], temporary, nil});
            let control = term!({6, (&pid), @"", @"Elixir.HAR.TaskSupervisor"});
            (control, Some(term!({@"$gen_call", {(&pid), (tag)}, (start)})))
        });
    }),
];

/// A binary, each another one.
fn mebibyte(number: u32) -> Term {
    let mut bytes = vec![b'x'; 1 << 20];
    bytes[..4].copy_from_slice(format!("{number:04}").as_bytes());
    Term::binary(bytes)
}

const MESSAGES: &[Case] = &[
    inside("messages to nobody", Connected, Stays, |s| {
        frames(s, 50_000, |s, _| (term!({6, (s.pid(1)), @"", nobody}), Some(Term::Nil)));
    }),
    inside("messages to one service", Connected, Stays, |s| {
        frames(s, 30_000, |s, n| (term!({6, (s.pid(1)), @"", rex}), Some(Term::from(n))));
    }),
    inside("questions, and no answer is read", Connected, Leaves, |s| {
        // Answers pile up at the node, which stops asking its mailbox rather than its neighbours.
        frames(s, 30_000, |s, n| {
            let (pid, tag) = (s.pid(1), s.reference(n));
            let question = term!({@"$gen_call", {(pid), (tag)}, {is_auth, (s.atom())}});
            (term!({6, (s.pid(1)), @"", net_kernel}), Some(question))
        });
    }),
    inside("log lines", Connected, Stays, |s| {
        frames(s, 300, |s, _| {
            let event = term!({log, error, "~p", [(Term::string(&"x".repeat(20_000)))], #{}});
            (term!({6, (s.pid(1)), @"", logger_proxy}), Some(event))
        });
    }),
    inside("names in global", Connected, Stays, |s| {
        frames(s, 5_000, |s, n| {
            let (pid, tag) = (s.pid(1), s.reference(n));
            let name = Term::from(n);
            let request = term!({register, (name), (&pid), undefined});
            let call = term!({@"$gen_call", {(&pid), (tag)}, (request)});
            (term!({6, (&pid), @"", global_name_server}), Some(call))
        });
    }),
    inside("members of groups", Connected, Stays, |s| {
        frames(s, 5_000, |s, n| {
            let pid = s.pid(1);
            let join = term!({join, (&pid), (Term::from(n)), (s.pid(n))});
            (term!({6, (&pid), @"", pg}), Some(join))
        });
    }),
    inside("backends with long names", Connected, Stays, |s| {
        frames(s, 400, |s, n| {
            let cast = term!({@"$gen_cast", {set_health, (mebibyte(n)), healthy}});
            (term!({6, (s.pid(1)), @"", @"Elixir.HAR.ControlPlane.HealthChecker"}), Some(cast))
        });
    }),
    inside("policies that are long", Connected, Stays, |s| {
        frames(s, 400, |s, n| {
            let policy =
                term!(#{name => (mebibyte(n)), type => deny, condition => #{site => nowhere}});
            let cast = term!({@"$gen_cast", {add_policy, (policy)}});
            (term!({6, (s.pid(1)), @"", @"Elixir.HAR.ControlPlane.PolicyEngine"}), Some(cast))
        });
    }),
    inside("locks in global", Connected, Stays, |s| {
        frames(s, 3_000, |s, n| {
            let (pid, tag) = (s.pid(1), s.reference(n));
            let request = term!({set_lock, {(Term::from(n)), (&pid)}});
            let call = term!({@"$gen_call", {(&pid), (tag)}, (request)});
            (term!({6, (&pid), @"", global_name_server}), Some(call))
        });
    }),
    inside("group leaders", Connected, Stays, |s| {
        frames(s, 10_000, |s, n| (term!({7, (s.pid(n)), (s.victim("pg"))}), None));
    }),
    inside("good frames, then a bad one", Connected, Cut, |s| {
        frames(s, 5_000, |s, _| (term!({6, (s.pid(1)), @"", nobody}), Some(Term::Nil)));
        let control = encode(&term!({6, (s.pid(1)), @"", nobody}));
        s.say(&framed(&[&[131, 68, 0][..], &control[1..]].concat()));
        assert!(s.line.is_cut(PATIENCE));
    }),
];
