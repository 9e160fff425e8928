//! Numbers: `+`, `div`, comparison, `abs` and their like, in `erlang` and Elixir's `Kernel`.

use std::cmp::Ordering;

use erlang_term::{Term, atom};
use num_bigint::BigInt;

use super::{one, two};
use crate::functions::{FunctionsBuilder, Outcome};
use crate::limits::INTEGER_BITS_MAX;
use crate::reason::Exception;

/// Two numbers brought to one type.
enum Pair {
    Integers(BigInt, BigInt),
    Floats(f64, f64),
}

fn float(term: &Term) -> Option<f64> {
    match term {
        Term::Integer(value) => Some(*value as f64),
        Term::Float(value) => Some(*value),
        Term::BigInteger(value) => Some(value.to_f64()).filter(|value| value.is_finite()),
        _ => None,
    }
}

fn pair(left: &Term, right: &Term) -> Result<Pair, Exception> {
    if let (Some(left), Some(right)) = (left.as_bigint(), right.as_bigint()) {
        return Ok(Pair::Integers(left, right));
    }
    match (float(left), float(right)) {
        (Some(left), Some(right)) => Ok(Pair::Floats(left, right)),
        _ => Err(Exception::badarith()),
    }
}

fn integer(value: BigInt) -> Outcome {
    if value.bits() > INTEGER_BITS_MAX { Err(Exception::system_limit()) } else { Ok(value.into()) }
}

fn finite(value: f64) -> Outcome {
    if value.is_finite() { Ok(Term::Float(value)) } else { Err(Exception::badarith()) }
}

fn calculate(
    arguments: &[Term],
    integers: fn(BigInt, BigInt) -> BigInt,
    floats: fn(f64, f64) -> f64,
) -> Outcome {
    let (left, right) = two(arguments)?;
    match pair(left, right)? {
        Pair::Integers(left, right) => integer(integers(left, right)),
        Pair::Floats(left, right) => finite(floats(left, right)),
    }
}

fn multiply(arguments: &[Term]) -> Outcome {
    let (left, right) = two(arguments)?;
    match pair(left, right)? {
        // Looked at before the work is done, since a peer chooses the factors.
        Pair::Integers(left, right) if left.bits() + right.bits() > INTEGER_BITS_MAX => {
            Err(Exception::system_limit())
        }
        Pair::Integers(left, right) => integer(left * right),
        Pair::Floats(left, right) => finite(left * right),
    }
}

fn divide(arguments: &[Term]) -> Outcome {
    let (left, right) = two(arguments)?;
    match (float(left), float(right)) {
        (Some(left), Some(right)) if right != 0.0 => finite(left / right),
        _ => Err(Exception::badarith()),
    }
}

fn integers(arguments: &[Term], operation: fn(BigInt, BigInt) -> BigInt) -> Outcome {
    let (left, right) = two(arguments)?;
    match (left.as_bigint(), right.as_bigint()) {
        (Some(left), Some(right)) if right.bits() > 0 => integer(operation(left, right)),
        _ => Err(Exception::badarith()),
    }
}

fn negate(arguments: &[Term]) -> Outcome {
    match one(arguments)? {
        Term::Float(value) => Ok(Term::Float(-value)),
        other => integer(-other.as_bigint().ok_or_else(Exception::badarith)?),
    }
}

fn abs(arguments: &[Term]) -> Outcome {
    match one(arguments)? {
        Term::Float(value) => Ok(Term::Float(value.abs())),
        other => {
            let value = other.as_bigint().ok_or_else(Exception::badarg)?;
            Ok(Term::from(BigInt::from(value.magnitude().clone())))
        }
    }
}

fn rounded(arguments: &[Term], how: fn(f64) -> f64) -> Outcome {
    match one(arguments)? {
        Term::Float(value) => {
            let value = how(*value);
            // A finite float has an exact integer; text is the way that needs no cast.
            let text = format!("{value:.0}");
            text.parse::<BigInt>().map(Term::from).map_err(|_| Exception::badarg())
        }
        integer @ (Term::Integer(_) | Term::BigInteger(_)) => Ok(integer.clone()),
        _ => Err(Exception::badarg()),
    }
}

fn to_float(arguments: &[Term]) -> Outcome {
    float(one(arguments)?).map(Term::Float).ok_or_else(Exception::badarg)
}

fn compare(arguments: &[Term], holds: fn(Ordering) -> bool) -> Outcome {
    let (left, right) = two(arguments)?;
    Ok(Term::from(holds(left.cmp_order(right))))
}

pub(super) fn register(builder: &mut FunctionsBuilder) {
    for module in ["erlang", "Elixir.Kernel"] {
        builder
            .pure(module, "+", 2, |a| calculate(a, |l, r| l + r, |l, r| l + r))
            .pure(module, "-", 2, |a| calculate(a, |l, r| l - r, |l, r| l - r))
            .pure(module, "*", 2, multiply)
            .pure(module, "/", 2, divide)
            .pure(module, "+", 1, |a| {
                float(one(a)?).ok_or_else(Exception::badarith)?;
                Ok(a[0].clone())
            })
            .pure(module, "-", 1, negate)
            .pure(module, "div", 2, |a| integers(a, |l, r| l / r))
            .pure(module, "rem", 2, |a| integers(a, |l, r| l % r))
            .pure(module, "abs", 1, abs)
            .pure(module, "round", 1, |a| rounded(a, f64::round))
            .pure(module, "trunc", 1, |a| rounded(a, f64::trunc))
            .pure(module, "floor", 1, |a| rounded(a, f64::floor))
            .pure(module, "ceil", 1, |a| rounded(a, f64::ceil))
            .pure(module, "==", 2, |a| compare(a, Ordering::is_eq))
            .pure(module, "<", 2, |a| compare(a, Ordering::is_lt))
            .pure(module, ">", 2, |a| compare(a, Ordering::is_gt))
            .pure(module, ">=", 2, |a| compare(a, Ordering::is_ge))
            .pure(module, "max", 2, |a| {
                let (left, right) = two(a)?;
                Ok(if left.cmp_order(right).is_ge() { left.clone() } else { right.clone() })
            })
            .pure(module, "min", 2, |a| {
                let (left, right) = two(a)?;
                Ok(if left.cmp_order(right).is_le() { left.clone() } else { right.clone() })
            });
    }
    builder
        .pure("erlang", "float", 1, to_float)
        .pure("erlang", "=<", 2, |a| compare(a, Ordering::is_le))
        .pure("erlang", "/=", 2, |a| compare(a, Ordering::is_ne))
        .pure("erlang", "=:=", 2, |a| two(a).map(|(l, r)| Term::from(l == r)))
        .pure("erlang", "=/=", 2, |a| two(a).map(|(l, r)| Term::from(l != r)))
        .pure("Elixir.Kernel", "<=", 2, |a| compare(a, Ordering::is_le))
        .pure("Elixir.Kernel", "!=", 2, |a| compare(a, Ordering::is_ne))
        .pure("Elixir.Kernel", "===", 2, |a| two(a).map(|(l, r)| Term::from(l == r)))
        .pure("Elixir.Kernel", "!==", 2, |a| two(a).map(|(l, r)| Term::from(l != r)))
        .pure("erlang", "not", 1, |a| match one(a)?.as_bool() {
            Some(value) => Ok(Term::from(!value)),
            None => Err(Exception::badarg()),
        })
        .pure("erlang", "error", 1, |a| Err(Exception::error(one(a)?)))
        .pure("erlang", "error", 2, |a| Err(Exception::error(two(a)?.0)))
        .pure("erlang", "exit", 1, |a| Err(Exception::exit(one(a)?)))
        .pure("erlang", "throw", 1, |a| Err(Exception::throw(one(a)?)))
        .pure("Elixir.Kernel", "exit", 1, |a| Err(Exception::exit(one(a)?)))
        .pure("Elixir.Kernel", "throw", 1, |a| Err(Exception::throw(one(a)?)))
        .pure("Elixir.Kernel", "raise", 1, |a| match one(a)?.as_str() {
            Some(message) => Err(Exception::elixir(&atom!("Elixir.RuntimeError"), message)),
            None => Err(Exception::error(one(a)?)),
        });
}

#[cfg(test)]
mod tests {
    use erlang_term::term;

    use super::super::tests::eval;

    #[test]
    fn arithmetic_is_that_of_erlang() {
        assert_eq!(eval("erlang", "+", term!([1, 2])), "3");
        assert_eq!(eval("erlang", "+", term!([1, 2.0])), "3.0");
        assert_eq!(
            eval("erlang", "*", term!([9223372036854775807_i64, 2])),
            "18446744073709551614"
        );
        assert_eq!(eval("erlang", "div", term!([-7, 2])), "-3");
        assert_eq!(eval("erlang", "rem", term!([-7, 2])), "-1");
        assert_eq!(eval("erlang", "/", term!([1, 2])), "0.5");
        assert_eq!(eval("erlang", "abs", term!([-5])), "5");
        assert_eq!(eval("erlang", "round", term!([2.5])), "3");
        assert_eq!(eval("erlang", "trunc", term!([-2.5])), "-2");
    }

    #[test]
    fn faults_are_badarith() {
        assert_eq!(eval("erlang", "+", term!([a, 1])), "error:badarith");
        assert_eq!(eval("erlang", "div", term!([1, 0])), "error:badarith");
        assert_eq!(eval("erlang", "/", term!([1, 0])), "error:badarith");
        assert_eq!(eval("erlang", "*", term!([1.0e300, 1.0e300])), "error:badarith");
    }

    #[test]
    fn comparison_mixes_types() {
        assert_eq!(eval("erlang", "==", term!([1, 1.0])), "true");
        assert_eq!(eval("erlang", "=:=", term!([1, 1.0])), "false");
        assert_eq!(eval("erlang", "<", term!([1, a])), "true");
        assert_eq!(eval("Elixir.Kernel", "max", term!([1, 2])), "2");
    }

    #[test]
    fn raising_keeps_its_class() {
        assert_eq!(eval("erlang", "throw", term!([t])), "throw:t");
        assert_eq!(eval("erlang", "exit", term!([x])), "exit:x");
        assert_eq!(eval("erlang", "error", term!([badarg])), "error:badarg");
    }
}
