//! `atom!` and `term!`.

/// The atom of a literal text, looked up once.
///
/// ```
/// use erlang_term::atom;
/// assert_eq!(atom!("ok"), "ok");
/// ```
#[macro_export]
macro_rules! atom {
    ($text:literal) => {{
        const { assert!($text.len() <= 255, "an atom has at most 255 characters") };
        static ATOM: ::std::sync::OnceLock<$crate::Atom> = ::std::sync::OnceLock::new();
        ::std::clone::Clone::clone(ATOM.get_or_init(|| $crate::Atom::from_checked($text)))
    }};
}

/// A term in a notation close to Erlang's.
///
/// A bare word is an atom, `@"any text"` an atom of any text, a text literal a UTF-8 binary; numbers,
/// `{tuples}`, `[lists]`, `[improper | tail]` and `#{key => value}` maps are as in Erlang. An expression
/// in parentheses is any Rust value that is `Into<Term>`.
///
/// ```
/// use erlang_term::{term, Term};
/// let name = "har@localhost";
/// let built = term!({ok, [1, -2.5, "text", (name)], #{@"Elixir.HAR" => []}});
/// assert_eq!(
///     built.to_string(),
///     r#"{ok,[1,-2.5,<<"text">>,<<"har@localhost">>],#{'Elixir.HAR' => []}}"#,
/// );
/// # let _: Term = built;
/// ```
#[macro_export]
macro_rules! term {
    ([]) => { $crate::Term::Nil };
    ([ $($inside:tt)+ ]) => { $crate::__term_items!(list [] $($inside)+) };
    ({ $($inside:tt)* }) => { $crate::__term_items!(tuple [] $($inside)*) };
    (# { $($inside:tt)* }) => { $crate::__term_pairs!([] $($inside)*) };
    (@ $text:literal) => { $crate::Term::Atom($crate::atom!($text)) };
    (- $number:literal) => { $crate::Term::from(-$number) };
    (true) => { $crate::Term::Atom($crate::atom!("true")) };
    (false) => { $crate::Term::Atom($crate::atom!("false")) };
    ($word:ident) => {
        $crate::Term::Atom({
            const TEXT: &str = stringify!($word);
            static ATOM: ::std::sync::OnceLock<$crate::Atom> = ::std::sync::OnceLock::new();
            ::std::clone::Clone::clone(ATOM.get_or_init(|| $crate::Atom::from_checked(TEXT)))
        })
    };
    ($value:literal) => { $crate::Term::from($value) };
    (($value:expr)) => { $crate::Term::from($value) };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __term_items {
    (tuple [$($done:expr,)*]) => { $crate::Term::from($crate::Tuple::new([$($done,)*])) };
    (list [$($done:expr,)*]) => { $crate::Term::list::<$crate::Term>([$($done,)*]) };
    (list [$($done:expr,)*] | $($tail:tt)+) => {
        $crate::Term::improper_list::<$crate::Term>([$($done,)*], $crate::term!($($tail)+))
    };
    ($kind:ident [$($done:expr,)*] , $($rest:tt)*) => {
        $crate::__term_items!($kind [$($done,)*] $($rest)*)
    };
    ($kind:ident [$($done:expr,)*] # $map:tt $($rest:tt)*) => {
        $crate::__term_items!($kind [$($done,)* $crate::term!(# $map),] $($rest)*)
    };
    ($kind:ident [$($done:expr,)*] @ $text:tt $($rest:tt)*) => {
        $crate::__term_items!($kind [$($done,)* $crate::term!(@ $text),] $($rest)*)
    };
    ($kind:ident [$($done:expr,)*] - $number:tt $($rest:tt)*) => {
        $crate::__term_items!($kind [$($done,)* $crate::term!(- $number),] $($rest)*)
    };
    ($kind:ident [$($done:expr,)*] $one:tt $($rest:tt)*) => {
        $crate::__term_items!($kind [$($done,)* $crate::term!($one),] $($rest)*)
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __term_pairs {
    ([$(($key:expr, $value:expr),)*]) => {
        $crate::Term::map::<$crate::Term, $crate::Term>([$(($key, $value),)*])
    };
    ([$($done:tt)*] , $($rest:tt)*) => { $crate::__term_pairs!([$($done)*] $($rest)*) };
    ([$($done:tt)*] # $key:tt => $($rest:tt)+) => {
        $crate::__term_value!([$($done)*] ($crate::term!(# $key)) $($rest)+)
    };
    ([$($done:tt)*] @ $key:tt => $($rest:tt)+) => {
        $crate::__term_value!([$($done)*] ($crate::term!(@ $key)) $($rest)+)
    };
    ([$($done:tt)*] - $key:tt => $($rest:tt)+) => {
        $crate::__term_value!([$($done)*] ($crate::term!(- $key)) $($rest)+)
    };
    ([$($done:tt)*] $key:tt => $($rest:tt)+) => {
        $crate::__term_value!([$($done)*] ($crate::term!($key)) $($rest)+)
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __term_value {
    ([$($done:tt)*] $key:tt # $value:tt $($rest:tt)*) => {
        $crate::__term_pairs!([$($done)* ($key, $crate::term!(# $value)),] $($rest)*)
    };
    ([$($done:tt)*] $key:tt @ $value:tt $($rest:tt)*) => {
        $crate::__term_pairs!([$($done)* ($key, $crate::term!(@ $value)),] $($rest)*)
    };
    ([$($done:tt)*] $key:tt - $value:tt $($rest:tt)*) => {
        $crate::__term_pairs!([$($done)* ($key, $crate::term!(- $value)),] $($rest)*)
    };
    ([$($done:tt)*] $key:tt $value:tt $($rest:tt)*) => {
        $crate::__term_pairs!([$($done)* ($key, $crate::term!($value)),] $($rest)*)
    };
}

#[cfg(test)]
mod tests {
    use crate::Term;

    #[test]
    fn notation_covers_every_shape() {
        let number = 7;
        let cases = [
            (term!({}), "{}"),
            (term!([]), "[]"),
            (term!(#{}), "#{}"),
            (term!(-3), "-3"),
            (term!({a, -1, #{}, @"B c"}), "{a,-1,#{},'B c'}"),
            (term!([1, { x } | rest]), "[1,{x}|rest]"),
            (
                term!(#{a => -1, @"b" => #{1 => [2]}, (number) => true,}),
                "#{a => -1,b => #{1 => [2]},7 => true}",
            ),
        ];
        for (built, text) in cases {
            assert_eq!(built.to_string(), text);
        }
        assert_eq!(term!((number)), Term::Integer(7));
    }
}
