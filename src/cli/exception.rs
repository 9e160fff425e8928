//! What a call raised, worded as the shells of Erlang and Elixir word it.

use erlang_interop::term::{Term, atom};

use super::syntax::Syntax;

/// Class and reason of something raised, and where.
pub(super) struct Raised<'t> {
    /// `error`, `exit` or `throw`.
    pub(super) class: &'t str,
    pub(super) reason: &'t Term,
    /// `[{Module, Function, ArityOrArguments, Location}]`
    pub(super) stack: &'t Term,
    /// Whether the node has the module of an undefined function, if it was asked.
    pub(super) has_module: Option<bool>,
}

impl Raised<'_> {
    /// The lines a shell prints, without a line end after the last.
    pub(super) fn lines(&self, syntax: Syntax) -> String {
        let head = match syntax {
            Syntax::Erlang => format!("** exception {}: {}", self.class, self.erlang()),
            Syntax::Elixir => match self.class {
                "error" => format!("** {}", self.elixir()),
                class => format!("** ({class}) {}", Syntax::Elixir.show(self.reason)),
            },
        };
        let frames = self.stack.list_iter().into_iter().flatten();
        let frames: Vec<Frame> = frames.filter_map(|frame| Frame::of(&frame)).collect();
        // The head of these names the first frame already.
        let named =
            usize::from(self.reason.is_atom("undef") || self.reason.is_atom("function_clause"));
        let named = if syntax == Syntax::Erlang { named } else { 0 };
        let mut lines = head;
        for (index, frame) in frames.iter().enumerate().skip(named) {
            let place = frame.place.as_ref().map(|(file, line)| match syntax {
                Syntax::Erlang => format!(" ({file}, line {line})"),
                Syntax::Elixir => format!("{file}:{line}: "),
            });
            let place = place.unwrap_or_default();
            let called = frame.called(syntax);
            lines += &match (syntax, index) {
                (Syntax::Elixir, _) => format!("\n    {place}{called}"),
                (Syntax::Erlang, 0) => format!("\n     in function  {called}{place}"),
                (Syntax::Erlang, _) => format!("\n     in call from {called}{place}"),
            };
        }
        lines
    }

    fn first(&self) -> Option<Frame> {
        Frame::of(&self.stack.list_iter()?.next()?)
    }

    fn erlang(&self) -> String {
        let show = |term: &Term| Syntax::Erlang.show(term);
        if let Some(name) = self.reason.as_atom().filter(|_| self.class == "error") {
            let first = self.first();
            match (name.as_str(), first) {
                ("undef", Some(frame)) => {
                    return format!("undefined function {}", frame.called(Syntax::Erlang));
                }
                ("function_clause", Some(frame)) => {
                    return format!("no function clause matching {}", frame.with_arguments());
                }
                ("badarg", _) => return "bad argument".into(),
                ("badarith", _) => {
                    return "an error occurred when evaluating an arithmetic expression".into();
                }
                ("if_clause", _) => {
                    return "no true branch found when evaluating an if expression".into();
                }
                ("system_limit", _) => return "a system limit has been reached".into(),
                _ => return show(self.reason),
            }
        }
        match self.reason.as_tuple() {
            Some([tag, value]) if self.class == "error" => match tag
                .as_atom()
                .map(|tag| tag.as_str())
            {
                Some("badmatch") => format!("no match of right hand side value {}", show(value)),
                Some("case_clause") => format!("no case clause matching {}", show(value)),
                Some("try_clause") => format!("no try clause matching {}", show(value)),
                Some("badfun") => format!("bad function {}", show(value)),
                Some("badmap") => format!("bad map {}", show(value)),
                Some("badkey") => format!("bad key: {}", show(value)),
                _ => show(self.reason),
            },
            _ => show(self.reason),
        }
    }

    fn elixir(&self) -> String {
        let show = |term: &Term| Syntax::Elixir.show(term);
        if let Some(text) = self.elixir_struct() {
            return text;
        }
        let called = self.first().map(|frame| frame.called(Syntax::Elixir));
        let name = self.reason.as_atom().map(|name| name.as_str().to_owned());
        match (name.as_deref(), called) {
            (Some("undef"), Some(called)) => {
                let more = match self.has_module {
                    Some(true) => " or private".to_owned(),
                    Some(false) => {
                        let module = self.first().map(|frame| show(&frame.module));
                        format!(" (module {} is not available)", module.unwrap_or_default())
                    }
                    None => String::new(),
                };
                return format!("(UndefinedFunctionError) function {called} is undefined{more}");
            }
            (Some("function_clause"), Some(called)) => {
                return format!("(FunctionClauseError) no function clause matching in {called}");
            }
            (Some("badarg"), _) => return "(ArgumentError) argument error".into(),
            (Some("badarith"), _) => {
                return "(ArithmeticError) bad argument in arithmetic expression".into();
            }
            (Some("system_limit"), _) => {
                return "(SystemLimitError) a system limit has been reached".into();
            }
            _ => {}
        }
        if let Some([tag, value]) = self.reason.as_tuple() {
            let value = show(value);
            match tag.as_atom().map(|tag| tag.as_str()) {
                Some("badmatch") => {
                    return format!("(MatchError) no match of right hand side value: {value}");
                }
                Some("case_clause") => {
                    return format!("(CaseClauseError) no case clause matching: {value}");
                }
                Some("try_clause") => {
                    return format!("(TryClauseError) no try clause matching: {value}");
                }
                Some("badfun") => {
                    return format!("(BadFunctionError) expected a function, got: {value}");
                }
                Some("badmap") => return format!("(BadMapError) expected a map, got: {value}"),
                Some("badkey") => return format!("(KeyError) key {value} not found"),
                _ => {}
            }
        }
        format!("(ErlangError) Erlang error: {}", show(self.reason))
    }

    /// An Elixir exception travels as a map with `__exception__`; most have their text in it.
    fn elixir_struct(&self) -> Option<String> {
        let map = self.reason.as_map()?;
        let field =
            |name: &str| map.iter().find(|(key, _)| key.is_atom(name)).map(|(_, value)| value);
        field("__exception__").filter(|flag| flag.is_atom("true"))?;
        let module = Syntax::Elixir.show(field("__struct__")?);
        let text = field("message").and_then(Term::as_str).map(str::to_owned).or_else(|| {
            let key = Syntax::Elixir.show(field("key")?);
            Some(format!("key {key} not found in: {}", Syntax::Elixir.show(field("term")?)))
        });
        Some(format!("({module}) {}", text.unwrap_or_else(|| Syntax::Elixir.show(self.reason))))
    }
}

/// One frame of a stack.
struct Frame {
    module: Term,
    function: Term,
    /// The arguments when the frame has them.
    arguments: Option<Vec<Term>>,
    arity: usize,
    /// File and line.
    place: Option<(String, i64)>,
}

impl Frame {
    fn of(term: &Term) -> Option<Self> {
        let [module, function, called, location] = term.as_tuple()? else { return None };
        let arguments: Option<Vec<Term>> = called.list_iter().map(|items| items.collect());
        let arity = match &arguments {
            Some(arguments) => arguments.len(),
            None => usize::try_from(called.as_integer()?).ok()?,
        };
        let place = location.keyword("file").zip(location.keyword("line"));
        let place = place.and_then(|(file, line)| Some((file.to_text()?, line.as_integer()?)));
        Some(Self { module: module.clone(), function: function.clone(), arguments, arity, place })
    }

    fn called(&self, syntax: Syntax) -> String {
        let module = syntax.show(&self.module);
        match syntax {
            Syntax::Erlang => format!("{module}:{}/{}", syntax.show(&self.function), self.arity),
            Syntax::Elixir => {
                let function = syntax.show(&self.function);
                format!("{module}.{}/{}", function.trim_start_matches(':'), self.arity)
            }
        }
    }

    /// `lists:map(a,b)`: Erlang's words for a failed match of arguments.
    fn with_arguments(&self) -> String {
        let Some(arguments) = &self.arguments else { return self.called(Syntax::Erlang) };
        let shown: Vec<String> = arguments.iter().map(|term| Syntax::Erlang.show(term)).collect();
        let (module, function) =
            (Syntax::Erlang.show(&self.module), Syntax::Erlang.show(&self.function));
        format!("{module}:{function}({})", shown.join(","))
    }
}

/// A call that failed without anything raised: what `rpc` gives as `{badrpc, Reason}`.
pub(super) fn badrpc(syntax: Syntax, reason: &Term) -> String {
    let term = Term::from((atom!("badrpc"), reason.clone()));
    format!("** {}", syntax.show(&term))
}

#[cfg(test)]
mod tests {
    use erlang_interop::term::parse_erlang;

    use super::*;

    fn raised(syntax: Syntax, class: &str, reason: &str, stack: &str) -> String {
        let reason = parse_erlang(reason).expect("a reason");
        let stack = parse_erlang(stack).expect("a stack");
        Raised { class, reason: &reason, stack: &stack, has_module: None }.lines(syntax)
    }

    #[test]
    fn elixir_says_whether_the_module_is_there() {
        let stack = parse_erlang("[{'Elixir.NoSuch',f,[],[]}]").expect("a stack");
        let banner = |has_module| {
            let reason = Term::from(atom!("undef"));
            let raised = Raised { class: "error", reason: &reason, stack: &stack, has_module };
            raised.lines(Syntax::Elixir)
        };
        let head = "** (UndefinedFunctionError) function NoSuch.f/0 is undefined";
        assert_eq!(
            banner(Some(false)),
            format!("{head} (module NoSuch is not available)\n    NoSuch.f/0")
        );
        assert_eq!(banner(Some(true)), format!("{head} or private\n    NoSuch.f/0"));
    }

    /// The right hand sides are what `erl` (OTP 25) prints.
    #[test]
    fn erlang_words() {
        let erlang = |class, reason, stack| raised(Syntax::Erlang, class, reason, stack);
        assert_eq!(
            erlang("error", "undef", "[{m,f,[],[]}]"),
            "** exception error: undefined function m:f/0"
        );
        assert_eq!(
            erlang("error", "function_clause", "[{lists,map,[a,b],[]}]"),
            "** exception error: no function clause matching lists:map(a,b)"
        );
        assert_eq!(
            erlang("error", "{badmatch,1}", "[]"),
            "** exception error: no match of right hand side value 1"
        );
        assert_eq!(erlang("exit", "{noproc,x}", "[]"), "** exception exit: {noproc,x}");
        assert_eq!(erlang("exit", "undef", "[]"), "** exception exit: undef");
        assert_eq!(erlang("throw", "x", "[]"), "** exception throw: x");
        assert_eq!(
            erlang(
                "error",
                "badarg",
                "[{erlang,atom_to_list,[1],[]},{m,f,0,[{file,\"x.erl\"},{line,3}]}]"
            ),
            "** exception error: bad argument\n     in function  erlang:atom_to_list/1\n     \
             in call from m:f/0 (x.erl, line 3)"
        );
    }

    /// The right hand sides are what Elixir 1.14 prints.
    #[test]
    fn elixir_words() {
        let elixir = |class, reason, stack| raised(Syntax::Elixir, class, reason, stack);
        assert_eq!(
            elixir("error", "undef", "[{'Elixir.HAR',nope,[1],[]}]"),
            "** (UndefinedFunctionError) function HAR.nope/1 is undefined\n    HAR.nope/1"
        );
        assert_eq!(
            elixir(
                "error",
                "function_clause",
                "[{lists,map,[a,b],[{file,\"lists.erl\"},{line,7}]}]"
            ),
            "** (FunctionClauseError) no function clause matching in :lists.map/2\n    lists.erl:7: :lists.map/2"
        );
        assert_eq!(
            elixir("error", "{case_clause,1}", "[]"),
            "** (CaseClauseError) no case clause matching: 1"
        );
        assert_eq!(elixir("error", "foo", "[]"), "** (ErlangError) Erlang error: :foo");
        assert_eq!(elixir("exit", "boom", "[]"), "** (exit) :boom");
        assert_eq!(elixir("throw", "x", "[]"), "** (throw) :x");
        let error = "#{'__struct__' => 'Elixir.RuntimeError', '__exception__' => true, message => <<\"boo\">>}";
        assert_eq!(elixir("error", error, "[]"), "** (RuntimeError) boo");
        let error = "#{'__struct__' => 'Elixir.KeyError', '__exception__' => true, key => to, term => [], message => nil}";
        assert_eq!(elixir("error", error, "[]"), "** (KeyError) key :to not found in: []");
    }

    #[test]
    fn other_failures() {
        assert_eq!(badrpc(Syntax::Erlang, &Term::from(atom!("nodedown"))), "** {badrpc,nodedown}");
        assert_eq!(badrpc(Syntax::Elixir, &Term::from(atom!("timeout"))), "** {:badrpc, :timeout}");
    }
}
