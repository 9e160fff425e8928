//! The I/O protocol: output of functions that run for a caller goes to the caller's group leader,
//! and requests that come to us are answered.
//!
//! A request is `{io_request, From, ReplyAs, Request}`, its answer `{io_reply, ReplyAs, Reply}`.

use std::time::Duration;

use erlang_node::{Context, DemonitorOptions, ExitReason};
use erlang_term::{Atom, Pid, Reference, Term, atom, term};

use crate::client::in_process_for;
use crate::functions::Caller;
use crate::gen_server::{GenServer, Next};

/// How long output waits for the group leader's answer.
const REPLY_TIMEOUT: Duration = Duration::from_secs(60);

/// Writes text at the caller's group leader, as `io:put_chars/1` does. Gives `ok` or
/// `{error, Reason}`.
pub async fn put_chars(caller: &Caller, text: &str) -> Term {
    let request = term!({put_chars, unicode, (text)});
    let leader = caller.group_leader.clone();
    let origin = caller.origin.as_ref();
    let answer = in_process_for(&caller.node, origin, move |mut context| async move {
        self::request(&mut context, &leader, request).await
    });
    answer.await.unwrap_or_else(|_| term!({error, terminated}))
}

/// Sends a request to an I/O server and waits for its answer: `{error, terminated}` when it is
/// gone, `{error, timeout}` when it doesn't answer.
pub async fn request(context: &mut Context, server: &Pid, request: Term) -> Term {
    let monitor: Reference = context.monitor(server).await;
    let message = term!({io_request, (context.pid()), (&monitor), (request)});
    context.send(server, message).await;
    let answer = context
        .receive_map_timeout(REPLY_TIMEOUT, |message| match message.as_tuple() {
            Some([tag, id, reply])
                if tag.is_atom("io_reply") && id.as_reference() == Some(&monitor) =>
            {
                Some(reply.clone())
            }
            _ if message.is_down_of(&monitor) => Some(term!({error, terminated})),
            _ => None,
        })
        .await;
    context.demonitor(&monitor, DemonitorOptions::FLUSH);
    answer.map_or_else(|_| term!({error, timeout}), |(_, reply)| reply)
}

/// What an I/O request asks for.
#[derive(Clone, Debug, PartialEq)]
enum Asked {
    /// Write this text.
    Write(String),
    /// Answer this.
    Answer(Term),
}

/// Understands a request. Output is taken when it comes as characters; what would have to be
/// formatted by a function (`{put_chars, Enc, Mod, Fun, Args}`) is taken for `io_lib:format` only.
fn understand(request: &Term) -> Asked {
    let refused = || Asked::Answer(term!({error, request}));
    let text = |characters: &Term| characters.to_text().map_or_else(refused, Asked::Write);
    match request.as_tuple() {
        Some([tag, _, characters]) if tag.is_atom("put_chars") => text(characters),
        Some([tag, characters]) if tag.is_atom("put_chars") => text(characters),
        Some([tag, _, module, function, arguments])
            if tag.is_atom("put_chars")
                && module.is_atom("io_lib")
                && function.is_atom("format") =>
        {
            match arguments.list_iter().map(Iterator::collect::<Vec<_>>).as_deref() {
                Some([format, arguments]) => format.to_text().map_or_else(refused, |format| {
                    Asked::Write(crate::logger::formatted(&format, arguments))
                }),
                _ => refused(),
            }
        }
        Some([tag, _]) if tag.is_atom("get_geometry") => Asked::Answer(term!({error, enotsup})),
        Some([tag, _]) if tag.is_atom("setopts") => Asked::Answer(term!({error, enotsup})),
        Some([tag, ..])
            if ["get_line", "get_chars", "get_until"].iter().any(|one| tag.is_atom(one)) =>
        {
            Asked::Answer(Term::from(atom!("eof")))
        }
        _ if request.is_atom("getopts") => Asked::Answer(term!([{encoding, unicode}])),
        _ => refused(),
    }
}

/// Our own I/O server, registered as `user`: output of remote processes that have a group leader
/// here goes to our log.
#[derive(Debug, Default)]
pub struct User;

impl GenServer for User {
    fn module(&self) -> Atom {
        atom!("user")
    }

    async fn init(&mut self, context: &mut Context) -> Result<(), ExitReason> {
        // Also after a restart: what is spawned from here on has this one as its leader.
        context.node().set_group_leader(context.pid().clone());
        Ok(())
    }

    async fn handle_info(&mut self, context: &mut Context, message: Term) -> Next {
        if let Some([tag, Term::Pid(from), id, request]) = message.as_tuple()
            && tag.is_atom("io_request")
        {
            let reply = answer(from, request);
            context.send(from, term!({io_reply, (id), (reply)})).await;
        }
        Next::Continue
    }
}

/// The answer to a request; what is written goes to the log.
fn answer(from: &Pid, request: &Term) -> Term {
    if let Some([tag, list]) = request.as_tuple()
        && tag.is_atom("requests")
    {
        // Each in turn; the last answer counts, an error ends it.
        let mut last = Term::from(atom!("ok"));
        for one in list.list_iter().into_iter().flatten() {
            last = single(from, &one);
            if last.as_tagged("error").is_some() {
                break;
            }
        }
        return last;
    }
    single(from, request)
}

fn single(from: &Pid, request: &Term) -> Term {
    match understand(request) {
        Asked::Write(text) => {
            for line in text.lines() {
                tracing::info!(target: "erlang_otp::io", %from, line, "output of a remote process");
            }
            Term::from(atom!("ok"))
        }
        Asked::Answer(reply) => reply,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn output_is_taken_in_each_form() {
        let written = |request: Term| match understand(&request) {
            Asked::Write(text) => text,
            Asked::Answer(other) => panic!("{other}"),
        };
        assert_eq!(written(term!({put_chars, unicode, "é\n"})), "é\n");
        assert_eq!(written(term!({put_chars, latin1, ["a", [98]]})), "ab");
        let format = Term::charlist("~p!");
        let call = term!({put_chars, unicode, io_lib, format, [(format), [1]]});
        assert_eq!(written(call), "1!");
    }

    #[test]
    fn what_we_cannot_do_is_said() {
        let pid = Pid::new(atom!("a@h"), 1, 0, 3);
        let answer = |request: Term| answer(&pid, &request).to_string();
        assert_eq!(answer(term!({get_geometry, columns})), "{error,enotsup}");
        assert_eq!(answer(term!({get_line, unicode, "> "})), "eof");
        assert_eq!(answer(term!(getopts)), "[{encoding,unicode}]");
        assert_eq!(answer(term!({nonsense, 1})), "{error,request}");
        let two = term!({requests, [{nonsense, 1}, getopts]});
        assert_eq!(answer(two), "{error,request}");
    }
}
