//! Values of any kind, read as what they should be, and lists and maps that end.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

/// Texts are cut after so many characters: names of workers have 253 at most.
const LONGEST_TEXT: usize = 253;

/// A number that is finite and not negative; 0 for all else.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Number(pub(super) f64);

/// A text or a number in words, cut; empty for all else.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Text(pub(super) String);

/// Tasks of a worker by what they do there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) executing: u64,
    pub(super) long_running: u64,
    pub(super) unstarted: u64,
}

/// How long a list is; nothing of it is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Length(pub(super) u64);

/// A list of at most so many.
#[derive(Clone, Debug)]
pub(super) struct Bounded<T, const MOST: usize>(pub(super) Vec<T>);

/// A map of at most so many, in its order.
#[derive(Clone, Debug)]
pub(super) struct Entries<T, const MOST: usize>(pub(super) Vec<(String, T)>);

impl Number {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "it saturates, and is not negative"
    )]
    pub(super) fn whole(self) -> u64 {
        self.0 as u64
    }
}

impl<T, const MOST: usize> Default for Entries<T, MOST> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Scalar { number, .. } = deserializer.deserialize_any(Any)?;
        Ok(Self(number.filter(|number| number.is_finite() && *number >= 0.0).unwrap_or(0.0)))
    }
}

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Scalar { number, text } = deserializer.deserialize_any(Any)?;
        Ok(Self(text.or(number.map(|number| number.to_string())).unwrap_or_default()))
    }
}

impl<'de> Deserialize<'de> for Length {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(Counter).map(Self)
    }
}

impl<'de, T: Deserialize<'de>, const MOST: usize> Deserialize<'de> for Bounded<T, MOST> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(List::<T, MOST>(PhantomData)).map(Self)
    }
}

impl<'de, T: Deserialize<'de>, const MOST: usize> Deserialize<'de> for Entries<T, MOST> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Map::<T, MOST>(PhantomData)).map(Self)
    }
}

impl<'de> Deserialize<'de> for Counts {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Counted)
    }
}

/// What a value is, if it is a number or a text.
#[derive(Default)]
struct Scalar {
    number: Option<f64>,
    text: Option<String>,
}

impl Scalar {
    fn number(number: f64) -> Self {
        Self { number: Some(number), text: None }
    }
}

struct Any;

impl<'de> Visitor<'de> for Any {
    type Value = Scalar;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("anything")
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<Scalar, E> {
        Ok(Scalar::default())
    }

    #[expect(clippy::cast_precision_loss, reason = "no decision depends on the last bits")]
    fn visit_i64<E: Error>(self, number: i64) -> Result<Scalar, E> {
        Ok(Scalar::number(number as f64))
    }

    #[expect(clippy::cast_precision_loss, reason = "no decision depends on the last bits")]
    fn visit_u64<E: Error>(self, number: u64) -> Result<Scalar, E> {
        Ok(Scalar::number(number as f64))
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<Scalar, E> {
        Ok(Scalar::number(number))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Scalar, E> {
        Ok(Scalar { text: Some(text.chars().take(LONGEST_TEXT).collect()), number: None })
    }

    fn visit_bytes<E: Error>(self, _: &[u8]) -> Result<Scalar, E> {
        Ok(Scalar::default())
    }

    fn visit_unit<E: Error>(self) -> Result<Scalar, E> {
        Ok(Scalar::default())
    }

    fn visit_none<E: Error>(self) -> Result<Scalar, E> {
        Ok(Scalar::default())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Scalar, A::Error> {
        while items.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Scalar::default())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut items: A) -> Result<Scalar, A::Error> {
        while items.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Scalar::default())
    }
}

/// Whatever a list has, counted.
struct Counter;

impl<'de> Visitor<'de> for Counter {
    type Value = u64;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<u64, A::Error> {
        let mut count = 0;
        while items.next_element::<IgnoredAny>()?.is_some() {
            count += 1;
        }
        Ok(count)
    }
}

struct List<T, const MOST: usize>(PhantomData<T>);

impl<'de, T: Deserialize<'de>, const MOST: usize> Visitor<'de> for List<T, MOST> {
    type Value = Vec<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a list of at most {MOST}")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Vec<T>, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            if list.len() == MOST {
                return Err(A::Error::invalid_length(MOST + 1, &self));
            }
            list.push(item);
        }
        Ok(list)
    }
}

struct Map<T, const MOST: usize>(PhantomData<T>);

impl<'de, T: Deserialize<'de>, const MOST: usize> Visitor<'de> for Map<T, MOST> {
    type Value = Vec<(String, T)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a map of at most {MOST}")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
        let mut entries = Vec::new();
        while let Some((Text(key), value)) = items.next_entry()? {
            if entries.len() == MOST {
                return Err(A::Error::invalid_length(MOST + 1, &self));
            }
            entries.push((key, value));
        }
        Ok(entries)
    }
}

/// What a state is that is not known counts as being executed: nothing is taken for over that may not be.
struct Counted;

impl<'de> Visitor<'de> for Counted {
    type Value = Counts;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("counts of tasks")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut items: A) -> Result<Counts, A::Error> {
        let mut counts = Counts::default();
        while let Some((Text(state), count)) = items.next_entry::<Text, Number>()? {
            let of = match state.as_str() {
                "ready" | "constrained" | "waiting" => &mut counts.unstarted,
                "long-running" => &mut counts.long_running,
                "memory" | "released" | "fetch" | "flight" | "missing" | "error" | "forgotten" => continue,
                _ => &mut counts.executing,
            };
            *of = of.saturating_add(count.whole());
        }
        Ok(counts)
    }
}
