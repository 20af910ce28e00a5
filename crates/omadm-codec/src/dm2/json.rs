//! Streaming JSON under limits: what the decoders and encoders of the packages share.
//!
//! serde drives; the [`Context`] beside it counts depth and items, knows the member that is being read, and keeps the
//! [`Problem`] that serde's own error type has no room for.

use std::borrow::Cow;
use std::cell::{Cell, RefCell};
use std::fmt;
use std::marker::PhantomData;

use serde::Serialize;
use serde::de::{self, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

use crate::error::{DecodeError, Problem};
use crate::{Leniency, Limits, Tolerance};

/// Makes a visitor the seed of what it visits.
macro_rules! seed {
    ($visitor:ty, $value:ty, $method:ident) => {
        impl<'de> DeserializeSeed<'de> for $visitor {
            type Value = $value;
            fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<$value, D::Error> {
                deserializer.$method(self)
            }
        }
    };
}
pub(super) use seed;

/// An [`Object`] as a table: its members, their types, their names, and the seeds that read them. The type says by a method `build`
/// what they make; if it borrows from the input, its lifetime is `'de`.
macro_rules! object {
    (
        $(#[$doc:meta])*
        $name:ident $(<$borrowed:lifetime>)? as $what:literal => $output:ty {
            $($field:ident: $type:ty = $key:literal, |$context:pat_param| $seed:expr;)+
        }
    ) => {
        $(#[$doc])*
        #[derive(Default)]
        struct $name $(<$borrowed>)? {
            $($field: Option<$type>,)+
        }

        impl<'de> Object<'de> for $name $(<$borrowed>)? {
            type Output = $output;
            const WHAT: &'static str = $what;
            fn member<A: MapAccess<'de>>(
                &mut self,
                key: &str,
                context: &Context<'_>,
                map: &mut A,
            ) -> Result<(), A::Error> {
                match key {
                    $($key => {
                        let $context = context;
                        context.member(map, $key, &mut self.$field, $seed)
                    })+
                    _ => context.skip(map),
                }
            }
            fn finish<E: de::Error>(self, context: &Context<'_>) -> Result<$output, E> {
                self.build(context)
            }
        }
    };
}
pub(super) use object;

/// Field of errors that concern the message as a whole.
pub(super) const MESSAGE: &str = "message";

/// serde_json stops at 128 levels whatever [`Limits::depth`] says, so ours stops first.
const DEEPEST: usize = 120;

/// State of decoding one message.
pub(super) struct Context<'a> {
    limits: &'a Limits,
    leniency: RefCell<&'a mut Leniency>,
    depth: Cell<usize>,
    items: Cell<usize>,
    field: Cell<&'static str>,
    refusal: Cell<Option<(&'static str, Problem)>>,
}

/// One level of nesting; leaving the scope leaves the level.
pub(super) struct Level<'c>(&'c Cell<usize>);

impl Drop for Level<'_> {
    fn drop(&mut self) {
        self.0.set(self.0.get().saturating_sub(1));
    }
}

impl<'a> Context<'a> {
    pub(super) fn new(limits: &'a Limits, leniency: &'a mut Leniency) -> Self {
        Self {
            limits,
            leniency: RefCell::new(leniency),
            depth: Cell::new(0),
            items: Cell::new(0),
            field: Cell::new(MESSAGE),
            refusal: Cell::new(None),
        }
    }

    /// Reads the whole input with `seed`.
    pub(super) fn read<'de, S>(&self, input: &'de [u8], seed: S) -> Result<S::Value, DecodeError>
    where
        S: DeserializeSeed<'de>,
    {
        let whole = |at, problem| DecodeError { at, field: MESSAGE, problem };
        if input.len() > self.limits.bytes {
            return Err(whole(self.limits.bytes, Problem::TooLarge { limit: self.limits.bytes }));
        }
        let text = std::str::from_utf8(input).map_err(|e| whole(e.valid_up_to(), Problem::BadUtf8))?;
        let text = match text.strip_prefix('\u{feff}') {
            Some(rest) if self.allow(Tolerance::ByteOrderMark) => rest,
            _ => text,
        };
        let offset = input.len() - text.len();
        let mut json = serde_json::Deserializer::from_str(text);
        let value = seed.deserialize(&mut json).map_err(|error| self.describe(text, offset, &error))?;
        match json.end() {
            Ok(()) => Ok(value),
            Err(error) => Err(whole(offset + place(text, &error), Problem::Trailing)),
        }
    }

    /// Asks for a tolerance.
    pub(super) fn allow(&self, tolerance: Tolerance) -> bool {
        self.leniency.borrow_mut().allow(tolerance)
    }

    /// Goes one level down.
    pub(super) fn enter<E: de::Error>(&self) -> Result<Level<'_>, E> {
        let limit = self.limits.depth.min(DEEPEST);
        if self.depth.get() >= limit {
            return Err(self.refuse(Problem::TooDeep { limit }));
        }
        self.depth.set(self.depth.get() + 1);
        Ok(Level(&self.depth))
    }

    /// Counts one member or element.
    pub(super) fn count<E: de::Error>(&self) -> Result<(), E> {
        let limit = self.limits.items;
        if self.items.get() >= limit {
            return Err(self.refuse(Problem::TooMany { limit }));
        }
        self.items.set(self.items.get() + 1);
        Ok(())
    }

    /// The error for a problem with the current field.
    pub(super) fn refuse<E: de::Error>(&self, problem: Problem) -> E {
        self.refuse_field(self.field.get(), problem)
    }

    /// The error for a problem with another field than the current one.
    pub(super) fn refuse_field<E: de::Error>(&self, field: &'static str, problem: Problem) -> E {
        let error = E::custom(&problem);
        self.refusal.set(Some((field, problem)));
        error
    }

    /// A member that has to be there.
    pub(super) fn required<T, E: de::Error>(&self, field: &'static str, slot: Option<T>) -> Result<T, E> {
        slot.ok_or_else(|| self.refuse_field(field, Problem::Missing))
    }

    /// Name of the next member.
    pub(super) fn key<'de, A: MapAccess<'de>>(&self, map: &mut A) -> Result<Option<Cow<'de, str>>, A::Error> {
        let key = map.next_key_seed(Key)?;
        if key.is_some() {
            self.count()?;
        }
        Ok(key)
    }

    /// Reads the value of the member `field` into its slot; a second one is an error.
    pub(super) fn member<'de, A, S>(
        &self,
        map: &mut A,
        field: &'static str,
        slot: &mut Option<S::Value>,
        seed: S,
    ) -> Result<(), A::Error>
    where
        A: MapAccess<'de>,
        S: DeserializeSeed<'de>,
    {
        let outer = self.field.replace(field);
        if slot.is_some() {
            return Err(self.refuse(Problem::Duplicate));
        }
        *slot = Some(map.next_value_seed(seed)?);
        self.field.set(outer);
        Ok(())
    }

    /// Passes over the value of a member that means nothing here.
    pub(super) fn skip<'de, A: MapAccess<'de>>(&self, map: &mut A) -> Result<(), A::Error> {
        map.next_value_seed(Skip(self))
    }

    /// Turns serde's error into ours; `offset` is what was cut off before `text`.
    fn describe(&self, text: &str, offset: usize, error: &serde_json::Error) -> DecodeError {
        let at = offset + place(text, error);
        if let Some((field, problem)) = self.refusal.take() {
            return DecodeError { at, field, problem };
        }
        let message = error.to_string();
        let message = message.rsplit_once(" at line ").map_or(message.as_str(), |(head, _)| head);
        // serde's words for what JSON calls objects and arrays.
        let message = message.replacen("type: map,", "type: object,", 1);
        let message = without_text(&message.replacen("type: sequence,", "type: array,", 1));
        let problem = match error.classify() {
            serde_json::error::Category::Eof => Problem::Short,
            serde_json::error::Category::Data => Problem::Schema(message.into()),
            _ => Problem::Syntax(message.into()),
        };
        DecodeError { at, field: self.field.get(), problem }
    }
}

/// A message of serde without the text that was found: errors are logged, and the text may be a secret.
fn without_text(message: &str) -> String {
    match (message.split_once('"'), message.rsplit_once(", expected ")) {
        (Some((found, _)), Some((_, expected))) => format!("{}, expected {expected}", found.trim_end()),
        _ => message.to_owned(),
    }
}

/// Byte offset of the last byte that was read before an error. serde_json counts columns in bytes, from 1.
fn place(text: &str, error: &serde_json::Error) -> usize {
    let lines = error.line().saturating_sub(1);
    let start: usize = text.split_inclusive('\n').take(lines).map(str::len).sum();
    (start + error.column().saturating_sub(1)).min(text.len())
}

/// An object of a package: which members it has, and what becomes of them.
pub(super) trait Object<'de>: Default {
    /// What the members make.
    type Output;
    /// What it is, for errors.
    const WHAT: &'static str;
    /// Takes the value of `key` off `map`: by [`Context::member`], or by [`Context::skip`] if it is unknown.
    fn member<A: MapAccess<'de>>(
        &mut self,
        key: &str,
        context: &Context<'_>,
        map: &mut A,
    ) -> Result<(), A::Error>;
    /// Called after the last member.
    fn finish<E: de::Error>(self, context: &Context<'_>) -> Result<Self::Output, E>;
}

/// Reads the members of an object that has begun.
pub(super) fn read_object<'de, T: Object<'de>, A: MapAccess<'de>>(
    context: &Context<'_>,
    mut map: A,
) -> Result<T::Output, A::Error> {
    let _level = context.enter()?;
    let mut members = T::default();
    while let Some(key) = context.key(&mut map)? {
        members.member(&key, context, &mut map)?;
    }
    members.finish(context)
}

/// Reads the elements of an array that has begun.
pub(super) fn array<'de, S, A>(context: &Context<'_>, mut seq: A, seed: S) -> Result<Vec<S::Value>, A::Error>
where
    S: DeserializeSeed<'de> + Copy,
    A: SeqAccess<'de>,
{
    let _level = context.enter()?;
    let mut items = Vec::new();
    while let Some(item) = seq.next_element_seed(seed)? {
        context.count()?;
        items.push(item);
    }
    Ok(items)
}

/// Seed of an [`Object`].
pub(super) struct ObjectSeed<'c, 'a, T>(pub &'c Context<'a>, pub PhantomData<T>);

impl<'c, 'a, T> ObjectSeed<'c, 'a, T> {
    pub(super) fn new(context: &'c Context<'a>) -> Self {
        Self(context, PhantomData)
    }
}

impl<T> Clone for ObjectSeed<'_, '_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for ObjectSeed<'_, '_, T> {}

impl<'de, T: Object<'de>> DeserializeSeed<'de> for ObjectSeed<'_, '_, T> {
    type Value = T::Output;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de, T: Object<'de>> Visitor<'de> for ObjectSeed<'_, '_, T> {
    type Value = T::Output;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(T::WHAT)
    }
    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
        read_object::<T, A>(self.0, map)
    }
}

/// Seed of an array of one kind of elements.
#[derive(Clone, Copy)]
pub(super) struct Array<'c, 'a, S>(pub &'c Context<'a>, pub S);

impl<'de, S: DeserializeSeed<'de> + Copy> DeserializeSeed<'de> for Array<'_, '_, S> {
    type Value = Vec<S::Value>;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de, S: DeserializeSeed<'de> + Copy> Visitor<'de> for Array<'_, '_, S> {
    type Value = Vec<S::Value>;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array")
    }
    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Self::Value, A::Error> {
        array(self.0, seq, self.1)
    }
}

/// Seed of a string.
#[derive(Clone, Copy)]
pub(super) struct Text;

seed!(Text, String, deserialize_str);

impl Visitor<'_> for Text {
    type Value = String;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }
    fn visit_str<E>(self, text: &str) -> Result<String, E> {
        Ok(text.to_owned())
    }
}

/// Seed of a member name; borrowed where it holds no escapes.
struct Key;

seed!(Key, Cow<'de, str>, deserialize_str);

impl<'de> Visitor<'de> for Key {
    type Value = Cow<'de, str>;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a member name")
    }
    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(text))
    }
    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Cow::Owned(text.to_owned()))
    }
}

/// Seed of any value, which is kept.
#[derive(Clone, Copy)]
pub(super) struct Anything<'c, 'a>(pub &'c Context<'a>);

seed!(Anything<'_, '_>, Value, deserialize_any);

impl<'de> Visitor<'de> for Anything<'_, '_> {
    type Value = Value;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }
    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }
    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }
    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }
    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }
    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }
    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }
    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Value, A::Error> {
        array(self.0, seq, self).map(Value::Array)
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let _level = self.0.enter()?;
        let mut members = serde_json::Map::new();
        while let Some(key) = self.0.key(&mut map)? {
            members.insert(key.into_owned(), map.next_value_seed(self)?);
        }
        Ok(Value::Object(members))
    }
}

/// The visitor methods of the scalars, strings excepted, that all make the same value.
macro_rules! visit_scalars {
    ($type:ty, $value:expr) => {
        fn visit_unit<E>(self) -> Result<$type, E> {
            Ok($value)
        }
        fn visit_bool<E>(self, _: bool) -> Result<$type, E> {
            Ok($value)
        }
        fn visit_i64<E>(self, _: i64) -> Result<$type, E> {
            Ok($value)
        }
        fn visit_u64<E>(self, _: u64) -> Result<$type, E> {
            Ok($value)
        }
        fn visit_f64<E>(self, _: f64) -> Result<$type, E> {
            Ok($value)
        }
    };
}

/// Seed of any value, which is passed over, but not beyond the limits.
#[derive(Clone, Copy)]
pub(super) struct Skip<'c, 'a>(pub &'c Context<'a>);

seed!(Skip<'_, '_>, (), deserialize_any);

impl<'de> Visitor<'de> for Skip<'_, '_> {
    type Value = ();
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }
    visit_scalars!((), ());
    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        let _level = self.0.enter()?;
        while seq.next_element_seed(self)?.is_some() {
            self.0.count()?;
        }
        Ok(())
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let _level = self.0.enter()?;
        while self.0.key(&mut map)?.is_some() {
            map.next_value_seed(self)?;
        }
        Ok(())
    }
}

/// Seed of a string; `None` for a value that is none.
#[derive(Clone, Copy)]
pub(super) struct MaybeText<'c, 'a>(pub &'c Context<'a>);

seed!(MaybeText<'_, '_>, Option<Cow<'de, str>>, deserialize_any);

impl<'de> Visitor<'de> for MaybeText<'_, '_> {
    type Value = Option<Cow<'de, str>>;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }
    visit_scalars!(Self::Value, None);
    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Some(Cow::Borrowed(text)))
    }
    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Some(Cow::Owned(text.to_owned())))
    }
    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Self::Value, A::Error> {
        Skip(self.0).visit_seq(seq).map(|()| None)
    }
    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
        Skip(self.0).visit_map(map).map(|()| None)
    }
}

/// Seed of an array; `None` for a value that is none.
#[derive(Clone, Copy)]
pub(super) struct MaybeArray<'c, 'a, S>(pub &'c Context<'a>, pub S);

impl<'de, S: DeserializeSeed<'de> + Copy> DeserializeSeed<'de> for MaybeArray<'_, '_, S> {
    type Value = Option<Vec<S::Value>>;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de, S: DeserializeSeed<'de> + Copy> Visitor<'de> for MaybeArray<'_, '_, S> {
    type Value = Option<Vec<S::Value>>;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }
    visit_scalars!(Self::Value, None);
    fn visit_str<E>(self, _: &str) -> Result<Self::Value, E> {
        Ok(None)
    }
    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Self::Value, A::Error> {
        array(self.0, seq, self.1).map(Some)
    }
    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
        Skip(self.0).visit_map(map).map(|()| None)
    }
}

/// Appends a value as JSON.
pub(super) fn write(value: &impl Serialize, out: &mut Vec<u8>) {
    // Writing to memory fails only for map keys that are no strings; our keys all are.
    let written = serde_json::to_writer(out, value);
    debug_assert!(written.is_ok(), "{written:?}");
}
