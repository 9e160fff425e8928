//! Conversions of `erlang`: atoms, numbers and lists to text and back, terms to bytes and back.

use bytes::Bytes;
use erlang_term::limits::TEXT_DIGITS_MAX;
use erlang_term::{Atom, Binary, Term, decode, encode};
use num_bigint::BigInt;

use super::{list, one, or_badarg, two};
use crate::functions::{FunctionsBuilder, Outcome};
use crate::limits::INTEGER_BITS_MAX;
use crate::reason::Exception;

/// How a function takes its text.
type Text = fn(&Term) -> Option<String>;

/// A charlist as text; `None` for iolists, which these functions don't take.
fn charlist(term: &Term) -> Option<String> {
    let mut characters = term.list_iter()?;
    characters.all(|one| one.as_integer().is_some()).then(|| term.to_text())?
}

fn binary(term: &Term) -> Option<String> {
    term.as_str().map(ToOwned::to_owned)
}

fn to_atom(term: &Term, text: Text) -> Outcome {
    let text = text(term).ok_or_else(Exception::badarg)?;
    Atom::new(&text).map(Term::from).map_err(|_| Exception::system_limit())
}

fn to_existing_atom(term: &Term, text: Text) -> Outcome {
    or_badarg(text(term).as_deref().and_then(Atom::existing))
}

fn to_integer(term: &Term, text: Text, base: u32) -> Outcome {
    let text = text(term).ok_or_else(Exception::badarg)?;
    // Reading takes quadratic time, and others wait for this thread.
    if text.len() > TEXT_DIGITS_MAX {
        return Err(Exception::system_limit());
    }
    let digits = text.strip_prefix(['+', '-']).unwrap_or(&text);
    // The parser would let `_` pass between digits.
    let plain = !digits.is_empty() && digits.bytes().all(|digit| digit.is_ascii_alphanumeric());
    let value = BigInt::parse_bytes(text.as_bytes(), base).filter(|_| plain);
    or_badarg(value)
}

/// `binary_to_integer/1`.
pub(super) fn binary_to_integer(arguments: &[Term]) -> Outcome {
    to_integer(one(arguments)?, binary, 10)
}

fn to_float(term: &Term, text: Text) -> Outcome {
    let text = text(term).filter(|text| text.contains('.')).ok_or_else(Exception::badarg)?;
    or_badarg(text.parse::<f64>().ok().filter(|value| value.is_finite()))
}

fn base(term: &Term) -> Result<u32, Exception> {
    let base = term.as_integer().and_then(|base| u32::try_from(base).ok());
    base.filter(|base| (2..=36).contains(base)).ok_or_else(Exception::badarg)
}

fn integer_in_base(arguments: &[Term]) -> Result<String, Exception> {
    let (number, in_base) = two(arguments)?;
    let number = number.as_bigint().ok_or_else(Exception::badarg)?;
    if number.bits() > INTEGER_BITS_MAX {
        return Err(Exception::system_limit());
    }
    Ok(number.to_str_radix(base(in_base)?).to_uppercase())
}

/// `1.5` as `1.50000000000000000000e+00`: with so many digits behind the point.
fn scientific(value: f64, digits: usize) -> String {
    let text = format!("{value:.digits$e}");
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let exponent: i32 = exponent.parse().unwrap_or_default();
    format!("{mantissa}e{exponent:+03}")
}

/// Digits that `float_to_list/2` takes at most.
const FLOAT_DIGITS_MAX: i64 = 249;

/// `float_to_list/1,2` and `float_to_binary/1,2`.
fn float_text(arguments: &[Term]) -> Result<String, Exception> {
    let Some(Term::Float(value)) = arguments.first() else { return Err(Exception::badarg()) };
    let options = arguments.get(1).map_or_else(|| Ok(Vec::new()), list)?;
    let (mut shown, mut compact) = (scientific(*value, 20), false);
    for option in options {
        let digits = |digits: &Term| match digits.as_integer() {
            Some(digits @ 0..=FLOAT_DIGITS_MAX) => usize::try_from(digits).ok(),
            _ => None,
        };
        match option.as_tuple() {
            Some([tag, count]) if tag.is_atom("decimals") => {
                let digits = digits(count).ok_or_else(Exception::badarg)?;
                shown = format!("{value:.digits$}");
            }
            Some([tag, count]) if tag.is_atom("scientific") => {
                shown = scientific(*value, digits(count).ok_or_else(Exception::badarg)?);
            }
            None if option.is_atom("compact") => compact = true,
            None if option.is_atom("short") => shown = Term::Float(*value).to_string(),
            _ => return Err(Exception::badarg()),
        }
    }
    if compact && shown.contains('.') && !shown.contains('e') {
        let cut = shown.trim_end_matches('0');
        shown = if cut.ends_with('.') { format!("{cut}0") } else { cut.to_owned() };
    }
    Ok(shown)
}

/// The part of a binary from a position on, `None` if it isn't within.
fn part<'a>(binary: &'a Term, start: &Term, length: &Term) -> Option<&'a [u8]> {
    let start = usize::try_from(start.as_integer()?).ok()?;
    let length = length.as_integer()?;
    let bytes = binary.as_binary()?;
    let (from, to) = match usize::try_from(length) {
        Ok(length) => (start, start.checked_add(length)?),
        // A negative length counts backwards.
        Err(_) => (start.checked_sub(usize::try_from(length.unsigned_abs()).ok()?)?, start),
    };
    bytes.get(from..to)
}

fn binary_part(arguments: &[Term]) -> Outcome {
    let [binary, start, length] = arguments else { return Err(Exception::badarg()) };
    or_badarg(part(binary, start, length).map(Term::binary))
}

fn split_binary(arguments: &[Term]) -> Outcome {
    let (binary, at) = two(arguments)?;
    let at = at.as_integer().and_then(|at| usize::try_from(at).ok());
    let halves = at.and_then(|at| binary.as_binary()?.split_at_checked(at));
    or_badarg(halves.map(|(left, right)| Term::from((Term::binary(left), Term::binary(right)))))
}

/// `binary_to_list(Binary, Start, Stop)`: positions count from one, both are included.
fn binary_part_to_list(arguments: &[Term]) -> Outcome {
    let [binary, Term::Integer(start @ 1..), Term::Integer(stop)] = arguments else {
        return Err(Exception::badarg());
    };
    let length = stop.checked_sub(*start).and_then(|length| length.checked_add(1));
    let length = length.filter(|length| *length > 0).ok_or_else(Exception::badarg)?;
    let found = part(binary, &Term::from(start - 1), &Term::from(length));
    or_badarg(found.map(|bytes| Term::list(bytes.iter().copied())))
}

/// `atom_to_binary(Atom, Encoding)`.
fn atom_in(arguments: &[Term]) -> Outcome {
    let (atom, encoding) = two(arguments)?;
    let text = atom_text(atom)?;
    match encoding.as_atom().map(Atom::as_str) {
        Some("utf8" | "unicode") => Ok(Term::from(text)),
        Some("latin1") => {
            let characters: Option<Vec<u8>> =
                text.chars().map(|one| u8::try_from(u32::from(one)).ok()).collect();
            or_badarg(characters.map(bytes))
        }
        _ => Err(Exception::badarg()),
    }
}

pub(super) fn integer_text(term: &Term) -> Result<String, Exception> {
    match term {
        // As reading, writing takes quadratic time.
        Term::BigInteger(large) if large.to_bigint().bits() > INTEGER_BITS_MAX => {
            Err(Exception::system_limit())
        }
        Term::Integer(_) | Term::BigInteger(_) => Ok(term.to_string()),
        _ => Err(Exception::badarg()),
    }
}

/// The bytes of an iolist, or of the list of bytes and binaries that `list_to_binary` takes.
fn iolist(term: &Term) -> Result<Vec<u8>, Exception> {
    let mut bytes = Vec::new();
    // A stack instead of recursion: a peer chooses how deep it nests.
    let mut left = vec![term.clone()];
    while let Some(part) = left.pop() {
        match part {
            Term::Nil => {}
            Term::Binary(binary) => bytes.extend_from_slice(&binary),
            Term::Integer(byte) => {
                bytes.push(u8::try_from(byte).map_err(|_| Exception::badarg())?);
            }
            Term::List(list) => {
                if matches!(list.tail(), Term::Integer(_)) {
                    return Err(Exception::badarg());
                }
                left.push(list.tail().clone());
                let at = left.len();
                left.extend(list.iter());
                left[at..].reverse();
            }
            _ => return Err(Exception::badarg()),
        }
    }
    Ok(bytes)
}

/// As [`iolist`], but a lone integer is none.
pub(super) fn iodata(term: &Term) -> Result<Vec<u8>, Exception> {
    if matches!(term, Term::Integer(_)) { Err(Exception::badarg()) } else { iolist(term) }
}

fn binary_to_term(arguments: &[Term]) -> Outcome {
    let Term::Binary(binary) = &arguments[0] else { return Err(Exception::badarg()) };
    decode(&binary.as_bytes()).map_err(|_| Exception::badarg())
}

fn binary_to_list(arguments: &[Term]) -> Outcome {
    let bytes = one(arguments)?.as_binary().ok_or_else(Exception::badarg)?;
    Ok(Term::list(bytes.iter().copied()))
}

fn atom_text(term: &Term) -> Result<&str, Exception> {
    term.as_atom().map(Atom::as_str).ok_or_else(Exception::badarg)
}

fn shown(arguments: &[Term], is: fn(&Term) -> bool) -> Outcome {
    let term = one(arguments)?;
    if is(term) { Ok(Term::charlist(&term.to_string())) } else { Err(Exception::badarg()) }
}

fn bytes(bytes: Vec<u8>) -> Term {
    Term::Binary(Binary::from(Bytes::from(bytes)))
}

pub(super) fn register(builder: &mut FunctionsBuilder) {
    builder
        .pure("erlang", "atom_to_list", 1, |a| Ok(Term::charlist(atom_text(one(a)?)?)))
        .pure("erlang", "atom_to_binary", 1, |a| Ok(Term::from(atom_text(one(a)?)?)))
        .pure("erlang", "atom_to_binary", 2, atom_in)
        .pure("erlang", "list_to_atom", 1, |a| to_atom(one(a)?, charlist))
        .pure("erlang", "list_to_existing_atom", 1, |a| to_existing_atom(one(a)?, charlist))
        .pure("erlang", "binary_to_atom", 1, |a| to_atom(one(a)?, binary))
        .pure("erlang", "binary_to_atom", 2, |a| to_atom(two(a)?.0, binary))
        .pure("erlang", "binary_to_existing_atom", 1, |a| to_existing_atom(one(a)?, binary))
        .pure("erlang", "binary_to_existing_atom", 2, |a| to_existing_atom(two(a)?.0, binary))
        .pure("erlang", "integer_to_list", 1, |a| Ok(Term::charlist(&integer_text(one(a)?)?)))
        .pure("erlang", "integer_to_list", 2, |a| Ok(Term::charlist(&integer_in_base(a)?)))
        .pure("erlang", "integer_to_binary", 1, |a| Ok(Term::from(integer_text(one(a)?)?)))
        .pure("erlang", "integer_to_binary", 2, |a| Ok(Term::from(integer_in_base(a)?)))
        .pure("erlang", "list_to_integer", 1, |a| to_integer(one(a)?, charlist, 10))
        .pure("erlang", "list_to_integer", 2, |a| to_integer(two(a)?.0, charlist, base(&a[1])?))
        .pure("erlang", "binary_to_integer", 1, binary_to_integer)
        .pure("erlang", "binary_to_integer", 2, |a| to_integer(two(a)?.0, binary, base(&a[1])?))
        .pure("erlang", "list_to_float", 1, |a| to_float(one(a)?, charlist))
        .pure("erlang", "binary_to_float", 1, |a| to_float(one(a)?, binary));
    for arity in 1..=2 {
        builder
            .pure("erlang", "float_to_list", arity, |a| Ok(Term::charlist(&float_text(a)?)))
            .pure("erlang", "float_to_binary", arity, |a| Ok(Term::from(float_text(a)?)));
    }
    register_containers(builder);
}

fn register_containers(builder: &mut FunctionsBuilder) {
    builder
        .pure("erlang", "binary_part", 3, binary_part)
        .pure("erlang", "split_binary", 2, split_binary)
        .pure("erlang", "binary_to_list", 3, binary_part_to_list)
        .pure("erlang", "tuple_to_list", 1, |a| {
            or_badarg(one(a)?.as_tuple().map(|elements| Term::list(elements.iter().cloned())))
        })
        .pure("erlang", "list_to_tuple", 1, |a| list(one(a)?).map(Term::tuple))
        .pure("erlang", "fun_to_list", 1, |a| shown(a, |term| matches!(term, Term::Fun(_))))
        .pure("erlang", "binary_to_list", 1, binary_to_list)
        .pure("erlang", "list_to_binary", 1, |a| {
            let list = one(a)?;
            if list.is_list() { iolist(list).map(bytes) } else { Err(Exception::badarg()) }
        })
        // Of whole bytes; what has single bits is left to nodes that have code to look at them.
        .pure("erlang", "list_to_bitstring", 1, |a| iodata(one(a)?).map(bytes))
        .pure("erlang", "bitstring_to_list", 1, binary_to_list)
        .pure("erlang", "iolist_to_binary", 1, |a| iodata(one(a)?).map(bytes))
        .pure("erlang", "iolist_size", 1, |a| {
            let length = iodata(one(a)?)?.len();
            or_badarg(i64::try_from(length).ok())
        })
        .pure("erlang", "term_to_binary", 1, |a| Ok(bytes(encode(one(a)?))))
        .pure("erlang", "binary_to_term", 1, binary_to_term)
        .pure("erlang", "binary_to_term", 2, binary_to_term)
        .pure("erlang", "pid_to_list", 1, |a| shown(a, |term| matches!(term, Term::Pid(_))))
        .pure("erlang", "ref_to_list", 1, |a| shown(a, |term| matches!(term, Term::Reference(_))))
        .pure("erlang", "port_to_list", 1, |a| shown(a, |term| matches!(term, Term::Port(_))));
}

#[cfg(test)]
mod tests {
    use erlang_term::limits::TEXT_DIGITS_MAX;
    use erlang_term::{Term, term};
    use num_bigint::BigInt;

    use super::super::tests::eval;

    #[test]
    fn text_and_numbers() {
        assert_eq!(eval("erlang", "list_to_integer", term!([[49, 50]])), "12");
        assert_eq!(eval("erlang", "binary_to_integer", term!(["x"])), "error:badarg");
        assert_eq!(eval("erlang", "binary_to_integer", term!([""])), "error:badarg");
        let digits = "9".repeat(TEXT_DIGITS_MAX + 1);
        let arguments = term!([(digits.as_str())]);
        assert_eq!(eval("erlang", "binary_to_integer", arguments), "error:system_limit");
        let large = Term::from(BigInt::from(1) << 70_000);
        assert_eq!(eval("erlang", "integer_to_list", term!([(large)])), "error:system_limit");
        assert_eq!(eval("erlang", "integer_to_binary", term!([-3])), "<<\"-3\">>");
        assert_eq!(eval("erlang", "binary_to_float", term!(["1.5"])), "1.5");
        assert_eq!(eval("erlang", "list_to_atom", term!([[97]])), "a");
        let long = "x".repeat(256);
        let arguments = term!([(long.as_str())]);
        assert_eq!(eval("erlang", "binary_to_atom", arguments), "error:system_limit");
    }

    #[test]
    fn numbers_in_other_bases_and_shapes() {
        assert_eq!(eval("erlang", "integer_to_binary", term!([-35, 36])), "<<\"-Z\">>");
        assert_eq!(eval("erlang", "integer_to_binary", term!([35, 37])), "error:badarg");
        assert_eq!(eval("erlang", "binary_to_integer", term!(["FF", 16])), "255");
        assert_eq!(eval("erlang", "binary_to_integer", term!(["1_0"])), "error:badarg");
        let float = |value: Term, options: Term| {
            eval("erlang", "float_to_binary", Term::list([value, options]))
        };
        assert_eq!(float(term!(1.5), term!([])), "<<\"1.50000000000000000000e+00\">>");
        assert_eq!(float(term!(1.5), term!([{decimals, 3}])), "<<\"1.500\">>");
        assert_eq!(float(term!(1.5), term!([{decimals, 4}, compact])), "<<\"1.5\">>");
        assert_eq!(float(term!(2.0), term!([{decimals, 1}, compact])), "<<\"2.0\">>");
        assert_eq!(float(term!(0.1), term!([short])), "<<\"0.1\">>");
        assert_eq!(float(term!(0.1), term!([{decimals, 250}])), "error:badarg");
    }

    #[test]
    fn parts_of_binaries() {
        assert_eq!(eval("erlang", "binary_part", term!(["hello", 1, 3])), "<<\"ell\">>");
        assert_eq!(eval("erlang", "binary_part", term!(["hello", 3, -2])), "<<\"el\">>");
        assert_eq!(eval("erlang", "binary_part", term!(["hello", 4, 3])), "error:badarg");
        assert_eq!(eval("erlang", "split_binary", term!(["ab", 1])), "{<<\"a\">>,<<\"b\">>}");
        assert_eq!(eval("erlang", "binary_to_list", term!(["har", 2, 3])), "\"ar\"");
        assert_eq!(eval("erlang", "binary_to_list", term!(["har", 3, 2])), "error:badarg");
    }

    #[test]
    fn only_atoms_that_exist_are_existing() {
        let nobodys = term!(["no atom of this process 77"]);
        assert_eq!(eval("erlang", "binary_to_existing_atom", nobodys), "error:badarg");
        assert_eq!(eval("erlang", "binary_to_existing_atom", term!(["badarg"])), "badarg");
        assert_eq!(eval("erlang", "binary_to_atom", term!([[97]])), "error:badarg");
    }

    #[test]
    fn iolists_may_nest() {
        let nested = term!([[[104, "a"], [["r"]]]]);
        assert_eq!(eval("erlang", "iolist_to_binary", nested), "<<\"har\">>");
        assert_eq!(eval("erlang", "iolist_to_binary", term!([[300]])), "error:badarg");
        assert_eq!(eval("erlang", "list_to_binary", term!(["a"])), "error:badarg");
    }

    #[test]
    fn terms_survive_bytes() {
        let encoded = erlang_term::encode(&term!({ok, [1]}));
        let arguments = term!([(Term::binary(encoded))]);
        assert_eq!(eval("erlang", "binary_to_term", arguments), "{ok,[1]}");
        assert_eq!(eval("erlang", "binary_to_term", term!(["x"])), "error:badarg");
    }
}
