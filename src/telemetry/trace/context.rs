//! Where in which trace a piece of work is, as a text that travels.
// spec: W3C Trace Context, "traceparent Header"

use std::fmt;
use std::str::FromStr;

/// The place of a span.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SpanContext {
    /// The trace; never 0.
    pub trace: u128,
    /// The span in it; never 0.
    pub span: u64,
    /// Whether anybody wants to know.
    pub sampled: bool,
}

impl SpanContext {
    /// The first span of a new trace, of which so many of a hundred are wanted. `None`: the system has
    /// no random numbers.
    pub(super) fn new(sample_percent: u32) -> Option<Self> {
        let mut random = [0; 16];
        getrandom::fill(&mut random).ok()?;
        let trace = u128::from_ne_bytes(random).max(1);
        Some(Self { trace, span: span()?, sampled: trace % 100 < sample_percent.into() })
    }

    /// Another span of the same trace.
    pub(super) fn child(self) -> Option<Self> {
        Some(Self { span: span()?, ..self })
    }
}

fn span() -> Option<u64> {
    getrandom::u64().ok().map(|span| span.max(1))
}

impl fmt::Display for SpanContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { trace, span, sampled } = self;
        write!(f, "00-{trace:032x}-{span:016x}-{:02x}", u8::from(*sampled))
    }
}

/// It is no `traceparent`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not VERSION-TRACE-SPAN-FLAGS")]
pub struct NotAContext;

impl FromStr for SpanContext {
    type Err = NotAContext;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut parts = text.split('-');
        let version = hex(parts.next(), 2)?;
        let trace = hex(parts.next(), 32)?;
        let span = hex(parts.next(), 16)?;
        let flags = hex(parts.next(), 2)?;
        // Later versions may say more; this one may not, and 255 is none.
        let whole = parts.next().is_none() || version > 0;
        let span = u64::try_from(span).map_err(|_| NotAContext)?;
        if version == 255 || trace == 0 || span == 0 || !whole {
            return Err(NotAContext);
        }
        Ok(Self { trace, span, sampled: flags & 1 == 1 })
    }
}

/// Lower case digits, exactly this many.
fn hex(part: Option<&str>, digits: usize) -> Result<u128, NotAContext> {
    let part = part.ok_or(NotAContext)?;
    let lower = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    if part.len() != digits || !part.bytes().all(lower) {
        return Err(NotAContext);
    }
    u128::from_str_radix(part, 16).map_err(|_| NotAContext)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn a_context_travels_as_a_text() {
        let context: SpanContext = TEXT.parse().expect("one");
        assert_eq!(context.span, 0x00f0_67aa_0ba9_02b7);
        assert!(context.sampled);
        assert_eq!(context.to_string(), TEXT);
        let child = context.child().expect("random numbers");
        assert_eq!(child.trace, context.trace);
        assert_ne!(child.span, context.span);
        let later = TEXT.replace("00-4", "cc-4") + "-what-comes";
        assert_eq!(later.parse(), Ok(context));
        let fresh = SpanContext::new(100).expect("random numbers");
        assert!(fresh.sampled && !SpanContext::new(0).expect("random numbers").sampled);
        assert_eq!(fresh.to_string().parse(), Ok(fresh));
        assert!(!TEXT.replace("-01", "-00").parse::<SpanContext>().expect("one").sampled);
    }

    #[test]
    fn what_is_none_is_none() {
        for wrong in [
            "",
            "00",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-x",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e473-00f067aa0ba902b7-01",
            "00-+bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        ] {
            assert_eq!(wrong.parse::<SpanContext>(), Err(NotAContext), "{wrong}");
        }
    }
}
