//! Values to terms.

use serde::Serialize;
use serde::ser::{
    SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant, SerializeTuple,
    SerializeTupleStruct, SerializeTupleVariant, Serializer,
};

use super::error::SerdeError;
use super::term::{TERM_NAME, take_term};
use crate::atom::Atom;
use crate::map::Map;
use crate::term::Term;

/// Makes one term.
pub(crate) struct TermSerializer;

type Written = Result<Term, SerdeError>;

fn nil() -> Term {
    Term::Atom(crate::atom!("nil"))
}

fn atom(text: &str) -> Written {
    Ok(Term::Atom(Atom::new(text)?))
}

macro_rules! from_primitives {
    ($($method:ident: $type:ty),+ $(,)?) => {
        $(fn $method(self, value: $type) -> Written {
            Ok(Term::from(value))
        })+
    };
}

impl Serializer for TermSerializer {
    type Ok = Term;
    type Error = SerdeError;
    type SerializeSeq = Elements;
    type SerializeTuple = Elements;
    type SerializeTupleStruct = Elements;
    type SerializeTupleVariant = Elements;
    type SerializeMap = Pairs;
    type SerializeStruct = Pairs;
    type SerializeStructVariant = Pairs;

    from_primitives! {
        serialize_bool: bool, serialize_i8: i8, serialize_i16: i16, serialize_i32: i32,
        serialize_i64: i64, serialize_i128: i128, serialize_u8: u8, serialize_u16: u16,
        serialize_u32: u32, serialize_u64: u64, serialize_u128: u128, serialize_f64: f64,
        serialize_str: &str,
    }

    fn serialize_f32(self, value: f32) -> Written {
        Ok(Term::Float(f64::from(value)))
    }

    fn serialize_char(self, value: char) -> Written {
        Ok(Term::string(value.encode_utf8(&mut [0; 4])))
    }

    fn serialize_bytes(self, value: &[u8]) -> Written {
        Ok(Term::binary(value))
    }

    fn serialize_none(self) -> Written {
        Ok(nil())
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Written {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Written {
        Ok(nil())
    }

    fn serialize_unit_struct(self, name: &'static str) -> Written {
        atom(name)
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, variant: &'static str) -> Written {
        atom(variant)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        value: &T,
    ) -> Written {
        if name == TERM_NAME
            && let Some(term) = take_term()
        {
            return Ok(term);
        }
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Written {
        Ok(Term::from((atom(variant)?, value.serialize(Self)?)))
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Elements, SerdeError> {
        Ok(Elements { terms: Vec::new(), list: true })
    }

    fn serialize_tuple(self, _: usize) -> Result<Elements, SerdeError> {
        Ok(Elements { terms: Vec::new(), list: false })
    }

    fn serialize_tuple_struct(self, _: &'static str, len: usize) -> Result<Elements, SerdeError> {
        self.serialize_tuple(len)
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Elements, SerdeError> {
        Ok(Elements { terms: vec![atom(variant)?], list: false })
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Pairs, SerdeError> {
        Ok(Pairs { pairs: Vec::new(), key: None, variant: None })
    }

    fn serialize_struct(self, name: &'static str, _: usize) -> Result<Pairs, SerdeError> {
        let mut pairs = Vec::new();
        if name.starts_with("Elixir.") {
            pairs.push((Term::Atom(crate::atom!("__struct__")), atom(name)?));
        }
        Ok(Pairs { pairs, key: None, variant: None })
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Pairs, SerdeError> {
        Ok(Pairs { pairs: Vec::new(), key: None, variant: Some(atom(variant)?) })
    }
}

/// The elements of a list or tuple.
pub(crate) struct Elements {
    terms: Vec<Term>,
    list: bool,
}

impl Elements {
    fn push<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), SerdeError> {
        self.terms.push(value.serialize(TermSerializer)?);
        Ok(())
    }

    fn finish(self) -> Term {
        if self.list { Term::list(self.terms) } else { Term::tuple(self.terms) }
    }
}

macro_rules! elements {
    ($($trait:ident: $method:ident),+ $(,)?) => {
        $(impl $trait for Elements {
            type Ok = Term;
            type Error = SerdeError;

            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), SerdeError> {
                self.push(value)
            }

            fn end(self) -> Written {
                Ok(self.finish())
            }
        })+
    };
}

elements! {
    SerializeSeq: serialize_element,
    SerializeTuple: serialize_element,
    SerializeTupleStruct: serialize_field,
    SerializeTupleVariant: serialize_field,
}

/// The pairs of a map, of a struct or of a variant with fields.
pub(crate) struct Pairs {
    pairs: Vec<(Term, Term)>,
    key: Option<Term>,
    variant: Option<Term>,
}

impl Pairs {
    fn push<T: Serialize + ?Sized>(
        &mut self,
        key: &'static str,
        value: &T,
    ) -> Result<(), SerdeError> {
        self.pairs.push((atom(key)?, value.serialize(TermSerializer)?));
        Ok(())
    }

    fn finish(self) -> Term {
        let map = Term::Map(Map::new(self.pairs));
        match self.variant {
            Some(variant) => Term::from((variant, map)),
            None => map,
        }
    }
}

impl SerializeMap for Pairs {
    type Ok = Term;
    type Error = SerdeError;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), SerdeError> {
        self.key = Some(key.serialize(TermSerializer)?);
        Ok(())
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), SerdeError> {
        let key =
            self.key.take().ok_or_else(|| SerdeError::Custom("a value without a key".into()))?;
        self.pairs.push((key, value.serialize(TermSerializer)?));
        Ok(())
    }

    fn end(self) -> Written {
        Ok(self.finish())
    }
}

impl SerializeStruct for Pairs {
    type Ok = Term;
    type Error = SerdeError;

    fn serialize_field<T: Serialize + ?Sized>(
        &mut self,
        key: &'static str,
        value: &T,
    ) -> Result<(), SerdeError> {
        self.push(key, value)
    }

    fn end(self) -> Written {
        Ok(self.finish())
    }
}

impl SerializeStructVariant for Pairs {
    type Ok = Term;
    type Error = SerdeError;

    fn serialize_field<T: Serialize + ?Sized>(
        &mut self,
        key: &'static str,
        value: &T,
    ) -> Result<(), SerdeError> {
        self.push(key, value)
    }

    fn end(self) -> Written {
        Ok(self.finish())
    }
}
