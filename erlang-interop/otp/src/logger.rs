//! `logger_proxy`: events that peers log because the process concerned has its group leader here,
//! and the same the other way.
//!
//! A process that we spawn on a BEAM has our group leader, so the report of its crash comes to us:
//! `{log, Level, Format, Arguments, Meta}` or `{log, Level, StringOrReport, Meta}`, plain messages
//! to the name `logger_proxy` (and `logger`, by older releases `error_logger`).

use std::time::{SystemTime, UNIX_EPOCH};

use erlang_node::{Context, ExitReason};
use erlang_term::{Atom, Pid, Term, atom, term};

use crate::gen_server::{GenServer, Next};
use crate::limits::LOG_TEXT_BYTES_MAX;

/// An event as a peer sends it.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Event {
    /// `emergency` to `debug`.
    pub level: Atom,
    /// The text: a format with its arguments put in place, a string, or a report.
    pub text: String,
    /// The process it is about, if it is said.
    pub pid: Option<Pid>,
}

impl Event {
    /// Reads an event. `None`: it is none.
    pub fn read(message: &Term) -> Option<Self> {
        match message.as_tuple()? {
            [tag, Term::Atom(level), format, arguments, meta] if tag.is_atom("log") => {
                let text = formatted(&format.to_text()?, arguments);
                Some(Self::new(level, text, meta))
            }
            [tag, Term::Atom(level), report, meta] if tag.is_atom("log") => {
                let text = report.to_text().unwrap_or_else(|| report.to_string());
                Some(Self::new(level, text, meta))
            }
            _ => None,
        }
    }

    fn new(level: &Atom, mut text: String, meta: &Term) -> Self {
        let end = text.floor_char_boundary(LOG_TEXT_BYTES_MAX);
        text.truncate(end);
        let pid = meta.as_map().and_then(|meta| meta.get_atom("pid")).and_then(Term::as_pid);
        Self { level: level.clone(), text, pid: pid.cloned() }
    }
}

/// A format string of `io_lib` with its arguments: enough of it to read a log line. Control
/// sequences take one argument each and show it as a term, `~s` as text, `~n` as a line end.
pub(crate) fn formatted(format: &str, arguments: &Term) -> String {
    let mut arguments = arguments.list_iter().into_iter().flatten();
    let mut text = String::new();
    let mut characters = format.chars();
    while let Some(character) = characters.next() {
        if text.len() > LOG_TEXT_BYTES_MAX {
            break;
        }
        if character != '~' {
            text.push(character);
            continue;
        }
        // Field width, precision, padding and modifiers stand before the letter.
        let letter = characters
            .by_ref()
            .find(|one| one.is_ascii_alphabetic() && *one != 't' && *one != 'l' || *one == '~');
        match letter {
            Some('n') => text.push('\n'),
            Some('~') => text.push('~'),
            Some('s') => {
                if let Some(argument) = arguments.next() {
                    text.push_str(&argument.to_text().unwrap_or_else(|| argument.to_string()));
                }
            }
            Some(_) => {
                if let Some(argument) = arguments.next() {
                    text.push_str(&argument.to_string());
                }
            }
            None => break,
        }
    }
    text
}

/// The process that is registered as `logger_proxy`.
#[derive(Debug, Default)]
pub struct LoggerProxy;

/// Writes an event of a peer to our log.
pub(crate) fn write(event: &Event) {
    let pid = event.pid.as_ref().map(ToString::to_string);
    let (pid, text) = (pid.as_deref(), event.text.as_str());
    match event.level.as_str() {
        "emergency" | "alert" | "critical" | "error" => {
            tracing::error!(target: "erlang_otp::logger", pid, text, "logged by a peer");
        }
        "warning" => tracing::warn!(target: "erlang_otp::logger", pid, text, "logged by a peer"),
        "debug" => tracing::debug!(target: "erlang_otp::logger", pid, text, "logged by a peer"),
        _ => tracing::info!(target: "erlang_otp::logger", pid, text, "logged by a peer"),
    }
}

impl GenServer for LoggerProxy {
    fn module(&self) -> Atom {
        atom!("logger_server")
    }

    async fn handle_info(&mut self, _: &mut Context, message: Term) -> Next {
        match Event::read(&message) {
            Some(event) => write(&event),
            None => tracing::debug!("logger_proxy: unexpected message"),
        }
        Next::Continue
    }
}

/// Reports that the current process crashes: to our log, and to the node of its group leader if
/// that is another one, where a BEAM would log it.
pub async fn report_crash(context: &Context, reason: &ExitReason) {
    tracing::error!(pid = %context.pid(), %reason, "process crashed");
    let leader = context.group_leader();
    if leader.node() == context.node().name() {
        return;
    }
    let time = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_micros();
    let time = i64::try_from(time).unwrap_or(i64::MAX);
    let format = Term::charlist("Error in process ~p on node ~p with exit value:~n~p~n");
    let arguments = term!([(context.pid()), (context.node().name()), (reason.to_term())]);
    let meta = term!(#{
        error_logger => #{emulator => true, tag => error},
        gl => (&leader),
        pid => (context.pid()),
        time => (time)
    });
    let message = term!({log, error, (format), (arguments), (meta)});
    context.send_connected((atom!("logger_proxy"), leader.node().clone()), message).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crash_report_is_read_as_a_beam_sends_it() {
        let message = term!({
            log, error,
            (Term::charlist("Error in process ~p with exit value:~n~tp~n")),
            [1, {undef, []}],
            #{time => 5}
        });
        let event = Event::read(&message).expect("an event");
        assert_eq!(event.text, "Error in process 1 with exit value:\n{undef,[]}\n");
        assert_eq!(event.level, "error");
    }

    #[test]
    fn strings_and_reports_are_read() {
        let text =
            |what: Term| Event::read(&term!({log, info, (what), #{}})).expect("an event").text;
        assert_eq!(text(Term::charlist("har")), "har");
        assert_eq!(text(Term::from("x")), "x");
        assert_eq!(text(term!(#{a => 1})), "#{a => 1}");
        assert!(Event::read(&term!({log, info})).is_none());
    }

    #[test]
    fn formats_survive_missing_arguments_and_odd_controls() {
        assert_eq!(formatted("~p ~s ~~ ~10.3f ~", &term!([1])), "1  ~  ");
        assert_eq!(formatted("~ts|~w", &term!(["a", b])), "a|b");
    }

    #[test]
    fn long_texts_are_cut() {
        let long = "é".repeat(LOG_TEXT_BYTES_MAX);
        let event = Event::read(&term!({log, info, (long.as_str()), #{}})).expect("an event");
        assert!(event.text.len() <= LOG_TEXT_BYTES_MAX);
    }
}
