//! Terms to values.

use serde::de::value::StrDeserializer;
use serde::de::{
    DeserializeSeed, Deserializer, EnumAccess, IntoDeserializer, MapAccess, SeqAccess,
    VariantAccess, Visitor,
};
use serde::forward_to_deserialize_any;

use super::error::SerdeError;
use super::term::{TERM_NAME, lend_term};
use crate::limits::SERDE_DEPTH_MAX;
use crate::list::ListIter;
use crate::term::Term;

/// Characters of a term that an error shows.
const SHOWN_CHARACTERS: usize = 80;

/// A term, and how many levels below it may still be read: serde recurses.
pub(super) struct TermDeserializer<'a>(&'a Term, usize);

type Read<T> = Result<T, SerdeError>;

impl<'a> TermDeserializer<'a> {
    pub(super) fn new(term: &'a Term) -> Self {
        Self(term, SERDE_DEPTH_MAX)
    }

    /// What is left for the parts of this term.
    fn below(&self) -> Read<usize> {
        match self.1.checked_sub(1) {
            Some(left) => Ok(left),
            None => Err(SerdeError::Depth),
        }
    }

    fn unexpected<T>(&self, expected: &'static str) -> Read<T> {
        Err(SerdeError::Unexpected { expected, got: self.0.excerpt(SHOWN_CHARACTERS) })
    }

    fn text<'de, V: Visitor<'de>>(self, visitor: V) -> Read<V::Value>
    where
        'a: 'de,
    {
        match self.0 {
            Term::Binary(bytes) => match bytes.as_str() {
                Some(text) => visitor.visit_borrowed_str(text),
                None => self.unexpected("a UTF-8 text"),
            },
            Term::Atom(atom) => visitor.visit_borrowed_str(atom.as_str()),
            other => match other.to_text() {
                Some(text) => visitor.visit_string(text),
                None => self.unexpected("a text"),
            },
        }
    }
}

/// Whether every element is a pair whose first is an atom, and there is one.
fn is_keyword(term: &Term) -> bool {
    let pair = |element: Term| matches!(element.as_tuple(), Some([Term::Atom(_), _]));
    matches!(term, Term::List(_)) && term.list_iter().is_some_and(|mut pairs| pairs.all(pair))
}

impl<'de> Deserializer<'de> for TermDeserializer<'de> {
    type Error = SerdeError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Read<V::Value> {
        match self.0 {
            Term::Integer(value) => visitor.visit_i64(*value),
            Term::BigInteger(_) => self.deserialize_u64(visitor),
            Term::Float(value) => visitor.visit_f64(*value),
            Term::Atom(atom) => match atom.as_str() {
                "nil" | "undefined" => visitor.visit_unit(),
                "true" => visitor.visit_bool(true),
                "false" => visitor.visit_bool(false),
                text => visitor.visit_borrowed_str(text),
            },
            Term::Binary(bytes) => match bytes.as_str() {
                Some(text) => visitor.visit_borrowed_str(text),
                None => visitor.visit_borrowed_bytes(bytes),
            },
            Term::Tuple(_) | Term::Nil => self.deserialize_seq(visitor),
            Term::Map(_) => self.deserialize_map(visitor),
            list @ Term::List(_) if is_keyword(list) => self.deserialize_map(visitor),
            Term::List(_) => self.deserialize_seq(visitor),
            Term::BitString(_)
            | Term::Fun(_)
            | Term::Pid(_)
            | Term::Port(_)
            | Term::Reference(_)
            | Term::Local(_) => self.unexpected("data"),
        }
    }

    fn deserialize_u64<V: Visitor<'de>>(self, visitor: V) -> Read<V::Value> {
        match self.0 {
            Term::Integer(value) => visitor.visit_i64(*value),
            Term::BigInteger(big) => {
                let big = big.to_bigint();
                match (u64::try_from(&big), i128::try_from(&big)) {
                    (Ok(value), _) => visitor.visit_u64(value),
                    (_, Ok(value)) => visitor.visit_i128(value),
                    _ => self.unexpected("an integer of at most 128 bits"),
                }
            }
            _ => self.unexpected("an integer"),
        }
    }

    fn deserialize_i128<V: Visitor<'de>>(self, visitor: V) -> Read<V::Value> {
        self.deserialize_u64(visitor)
    }

    fn deserialize_u128<V: Visitor<'de>>(self, visitor: V) -> Read<V::Value> {
        match self.0.as_bigint().map(|big| u128::try_from(&big)) {
            Some(Ok(value)) => visitor.visit_u128(value),
            _ => self.unexpected("an integer of 0 to 128 bits"),
        }
    }

    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Read<V::Value> {
        match self.0 {
            Term::Float(value) => visitor.visit_f64(*value),
            Term::Integer(value) => visitor.visit_f64(*value as f64),
            _ => self.unexpected("a number"),
        }
    }

    fn deserialize_f32<V: Visitor<'de>>(self, visitor: V) -> Read<V::Value> {
        self.deserialize_f64(visitor)
    }

    fn deserialize_char<V: Visitor<'de>>(self, visitor: V) -> Read<V::Value> {
        match self.0.as_integer().and_then(|point| char::from_u32(u32::try_from(point).ok()?)) {
            Some(character) => visitor.visit_char(character),
            None => self.text(visitor),
        }
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Read<V::Value> {
        self.text(visitor)
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Read<V::Value> {
        self.text(visitor)
    }

    fn deserialize_identifier<V: Visitor<'de>>(self, visitor: V) -> Read<V::Value> {
        self.text(visitor)
    }

    fn deserialize_bytes<V: Visitor<'de>>(self, visitor: V) -> Read<V::Value> {
        match self.0 {
            Term::Binary(bytes) => visitor.visit_borrowed_bytes(bytes),
            _ => self.deserialize_seq(visitor),
        }
    }

    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Read<V::Value> {
        self.deserialize_bytes(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Read<V::Value> {
        if self.0.is_atom("nil") || self.0.is_atom("undefined") {
            visitor.visit_none()
        } else {
            visitor.visit_some(self)
        }
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Read<V::Value> {
        match self.0 {
            Term::Atom(_) => visitor.visit_unit(),
            _ => self.unexpected("an atom"),
        }
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Read<V::Value> {
        if self.0.is_atom(name) { visitor.visit_unit() } else { self.unexpected(name) }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Read<V::Value> {
        if name == TERM_NAME {
            lend_term(self.0);
            return visitor.visit_unit();
        }
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Read<V::Value> {
        let left = self.below()?;
        match self.0 {
            Term::Tuple(elements) => visitor.visit_seq(Slice(elements.iter(), left)),
            Term::List(list) if list.is_proper() => match list.as_slice() {
                Some(elements) => visitor.visit_seq(Slice(elements.iter(), left)),
                None => visitor.visit_seq(Bytes(list.iter())),
            },
            Term::Nil => visitor.visit_seq(Slice([].iter(), left)),
            _ => self.unexpected("a list"),
        }
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, _: usize, visitor: V) -> Read<V::Value> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: usize,
        visitor: V,
    ) -> Read<V::Value> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Read<V::Value> {
        let left = self.below()?;
        let pairs: Vec<_> = match self.0 {
            Term::Map(map) => map.iter().filter(|(key, _)| !key.is_atom("__struct__")).collect(),
            Term::Nil => Vec::new(),
            keyword @ Term::List(list) if is_keyword(keyword) => list
                .as_slice()
                .unwrap_or_default()
                .iter()
                .filter_map(|pair| match pair.as_tuple() {
                    Some([key, value]) => Some((key, value)),
                    _ => None,
                })
                .collect(),
            _ => return self.unexpected("a map"),
        };
        visitor.visit_map(Pairs { pairs: pairs.into_iter(), value: None, left })
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Read<V::Value> {
        match self.0 {
            Term::Tuple(_) => self.deserialize_seq(visitor),
            _ => self.deserialize_map(visitor),
        }
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Read<V::Value> {
        let left = self.below()?;
        let (tag, content) = match self.0 {
            Term::Tuple(elements) => match &**elements {
                [tag, content @ ..] => (tag, content),
                [] => return self.unexpected("a variant"),
            },
            tag => (tag, &[][..]),
        };
        let text = match tag {
            Term::Atom(atom) => atom.as_str(),
            Term::Binary(bytes) => bytes.as_str().unwrap_or_default(),
            _ => return self.unexpected("a variant"),
        };
        visitor.visit_enum(Variant { tag: text, content, left })
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Read<V::Value> {
        visitor.visit_unit()
    }

    forward_to_deserialize_any! { bool i8 i16 i32 i64 u8 u16 u32 }
}

struct Slice<'de>(std::slice::Iter<'de, Term>, usize);

impl<'de> SeqAccess<'de> for Slice<'de> {
    type Error = SerdeError;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Read<Option<T::Value>> {
        self.0.next().map(|term| seed.deserialize(TermDeserializer(term, self.1))).transpose()
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.0.len())
    }
}

/// A list that is kept as bytes.
struct Bytes<'de>(ListIter<'de>);

impl<'de> SeqAccess<'de> for Bytes<'de> {
    type Error = SerdeError;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Read<Option<T::Value>> {
        let next = self.0.next().and_then(|term| term.as_integer());
        next.map(|byte| seed.deserialize(byte.into_deserializer())).transpose()
    }
}

struct Pairs<'de> {
    pairs: std::vec::IntoIter<(&'de Term, &'de Term)>,
    value: Option<&'de Term>,
    left: usize,
}

impl<'de> MapAccess<'de> for Pairs<'de> {
    type Error = SerdeError;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Read<Option<K::Value>> {
        let Some((key, value)) = self.pairs.next() else { return Ok(None) };
        self.value = Some(value);
        seed.deserialize(TermDeserializer(key, self.left)).map(Some)
    }

    fn next_value_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Read<T::Value> {
        match self.value.take() {
            Some(value) => seed.deserialize(TermDeserializer(value, self.left)),
            None => Err(SerdeError::Custom("a value was asked for before its key".into())),
        }
    }
}

struct Variant<'de> {
    tag: &'de str,
    content: &'de [Term],
    left: usize,
}

impl<'de> EnumAccess<'de> for Variant<'de> {
    type Error = SerdeError;
    type Variant = Self;

    fn variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Read<(T::Value, Self)> {
        let tag: StrDeserializer<'de, SerdeError> = self.tag.into_deserializer();
        Ok((seed.deserialize(tag)?, self))
    }
}

impl<'de> Variant<'de> {
    fn only(&self) -> Read<TermDeserializer<'de>> {
        match self.content {
            [content] => Ok(TermDeserializer(content, self.left)),
            other => Err(SerdeError::Custom(format!(
                "variant {} has {} elements beside its name, expected one",
                self.tag,
                other.len()
            ))),
        }
    }
}

impl<'de> VariantAccess<'de> for Variant<'de> {
    type Error = SerdeError;

    fn unit_variant(self) -> Read<()> {
        if self.content.is_empty() {
            Ok(())
        } else {
            Err(SerdeError::Custom(format!("variant {} has no content", self.tag)))
        }
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Read<T::Value> {
        seed.deserialize(self.only()?)
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, visitor: V) -> Read<V::Value> {
        visitor.visit_seq(Slice(self.content.iter(), self.left))
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Read<V::Value> {
        self.only()?.deserialize_struct("", fields, visitor)
    }
}
