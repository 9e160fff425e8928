//! Bits and truth: `band`, `bsl`, `and` and their like, and checksums.

use erlang_term::Term;
use num_bigint::BigInt;

use super::convert::iodata;
use super::{one, two};
use crate::functions::{FunctionsBuilder, Outcome};
use crate::limits::INTEGER_BITS_MAX;
use crate::reason::Exception;

fn integers(arguments: &[Term]) -> Result<(BigInt, BigInt), Exception> {
    let (left, right) = two(arguments)?;
    match (left.as_bigint(), right.as_bigint()) {
        (Some(left), Some(right)) => Ok((left, right)),
        _ => Err(Exception::badarith()),
    }
}

/// `Value bsl Count`; a negative count shifts to the right.
fn shifted(value: &BigInt, count: &BigInt) -> Outcome {
    let count = i64::try_from(count).map_err(|_| Exception::system_limit())?;
    let places = count.unsigned_abs();
    if count < 0 {
        return Ok(Term::from(value >> places.min(value.bits() + 1)));
    }
    // Looked at before the work is done, since a peer chooses the places.
    if value.bits().saturating_add(places) > INTEGER_BITS_MAX {
        return Err(Exception::system_limit());
    }
    Ok(Term::from(value << places))
}

fn truth(arguments: &[Term], holds: fn(bool, bool) -> bool) -> Outcome {
    let (left, right) = two(arguments)?;
    match (left.as_bool(), right.as_bool()) {
        (Some(left), Some(right)) => Ok(Term::from(holds(left, right))),
        _ => Err(Exception::badarg()),
    }
}

/// The checksum of zlib and Ethernet, bit by bit: what is summed here is small.
fn crc32(bytes: &[u8]) -> u32 {
    const POLYNOMIAL: u32 = 0xEDB8_8320;
    let mut sum = u32::MAX;
    for byte in bytes {
        sum ^= u32::from(*byte);
        for _ in 0..8 {
            let carry = sum & 1;
            sum = (sum >> 1) ^ (POLYNOMIAL * carry);
        }
    }
    !sum
}

fn adler32(bytes: &[u8]) -> u32 {
    const BASE: u32 = 65_521;
    let (mut low, mut high) = (1_u32, 0_u32);
    for byte in bytes {
        low = (low + u32::from(*byte)) % BASE;
        high = (high + low) % BASE;
    }
    (high << 16) | low
}

pub(super) fn register(builder: &mut FunctionsBuilder) {
    builder
        .pure("erlang", "band", 2, |a| integers(a).map(|(l, r)| Term::from(l & r)))
        .pure("erlang", "bor", 2, |a| integers(a).map(|(l, r)| Term::from(l | r)))
        .pure("erlang", "bxor", 2, |a| integers(a).map(|(l, r)| Term::from(l ^ r)))
        .pure("erlang", "bnot", 1, |a| {
            let value = one(a)?.as_bigint().ok_or_else(Exception::badarith)?;
            Ok(Term::from(-value - 1))
        })
        .pure("erlang", "bsl", 2, |a| integers(a).and_then(|(l, r)| shifted(&l, &r)))
        .pure("erlang", "bsr", 2, |a| integers(a).and_then(|(l, r)| shifted(&l, &-r)))
        .pure("erlang", "and", 2, |a| truth(a, |l, r| l & r))
        .pure("erlang", "or", 2, |a| truth(a, |l, r| l | r))
        .pure("erlang", "xor", 2, |a| truth(a, |l, r| l ^ r))
        .pure("erlang", "crc32", 1, |a| iodata(one(a)?).map(|bytes| Term::from(crc32(&bytes))))
        .pure("erlang", "adler32", 1, |a| iodata(one(a)?).map(|bytes| Term::from(adler32(&bytes))));
}

#[cfg(test)]
mod tests {
    use erlang_term::term;

    use super::super::tests::eval;

    #[test]
    fn bits_are_those_of_erlang() {
        assert_eq!(eval("erlang", "band", term!([12, 10])), "8");
        assert_eq!(eval("erlang", "bnot", term!([12])), "-13");
        assert_eq!(eval("erlang", "bsl", term!([1, 70])), "1180591620717411303424");
        assert_eq!(eval("erlang", "bsr", term!([-5, 1])), "-3");
        assert_eq!(eval("erlang", "bsr", term!([-5, 1000000000])), "-1");
        assert_eq!(eval("erlang", "bsl", term!([4, -1])), "2");
        assert_eq!(eval("erlang", "bsl", term!([0, 1000000000])), "error:system_limit");
        assert_eq!(eval("erlang", "bsl", term!([1, 1000000000])), "error:system_limit");
        assert_eq!(eval("erlang", "bor", term!([1.0, 1])), "error:badarith");
    }

    #[test]
    fn truth_takes_truth_only() {
        assert_eq!(eval("erlang", "and", term!([true, false])), "false");
        assert_eq!(eval("erlang", "xor", term!([true, false])), "true");
        assert_eq!(eval("erlang", "or", term!([true, 1])), "error:badarg");
    }

    #[test]
    fn checksums_are_those_of_zlib() {
        assert_eq!(eval("erlang", "crc32", term!(["hello"])), "907060870");
        assert_eq!(eval("erlang", "adler32", term!(["hello"])), "103547413");
        assert_eq!(eval("erlang", "crc32", term!([x])), "error:badarg");
    }
}
