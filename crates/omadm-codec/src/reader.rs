//! The cursor of the binary formats: it alone touches the octets.

use std::ffi::CStr;

use crate::{DecodeError, Limits, Problem};

/// Field of errors that concern the input as a whole.
const MESSAGE: &str = "message";

/// Reads octets from the front; offsets count from the start of the whole input.
#[derive(Clone, Debug)]
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    /// Begins at the start of `input`.
    pub(crate) fn new(input: &'a [u8], limits: &Limits) -> Result<Self, DecodeError> {
        let limit = limits.bytes;
        if input.len() > limit {
            return Err(DecodeError { at: limit, field: MESSAGE, problem: Problem::TooLarge { limit } });
        }
        Ok(Self { rest: input, at: 0 })
    }

    /// Begins at the start of a part that lies at an offset of the whole input.
    pub(crate) fn part(input: &'a [u8], at: usize) -> Self {
        Self { rest: input, at }
    }

    /// Offset of the next octet.
    #[inline]
    pub(crate) fn at(&self) -> usize {
        self.at
    }

    /// The next octet, which stays.
    #[inline]
    pub(crate) fn peek(&self) -> Option<u8> {
        self.rest.first().copied()
    }

    /// What was not read yet.
    #[inline]
    pub(crate) fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// The next `count` octets.
    #[inline]
    pub(crate) fn take(&mut self, count: usize, field: &'static str) -> Result<&'a [u8], DecodeError> {
        let (taken, rest) =
            self.rest.split_at_checked(count).ok_or_else(|| self.error(field, Problem::Short))?;
        self.rest = rest;
        self.at += count;
        Ok(taken)
    }

    /// The next `N` octets.
    #[inline]
    pub(crate) fn array<const N: usize>(&mut self, field: &'static str) -> Result<[u8; N], DecodeError> {
        let (taken, rest) = self.rest.split_first_chunk().ok_or_else(|| self.error(field, Problem::Short))?;
        self.rest = rest;
        self.at += N;
        Ok(*taken)
    }

    /// The next octet.
    #[inline]
    pub(crate) fn byte(&mut self, field: &'static str) -> Result<u8, DecodeError> {
        self.array(field).map(u8::from_be_bytes)
    }

    /// The next two octets, the most significant first.
    pub(crate) fn u16(&mut self, field: &'static str) -> Result<u16, DecodeError> {
        self.array(field).map(u16::from_be_bytes)
    }

    /// The next `count` octets as an input of their own, whose offsets go on counting.
    pub(crate) fn fence(&mut self, count: usize, field: &'static str) -> Result<Self, DecodeError> {
        let at = self.at;
        self.take(count, field).map(|rest| Self { rest, at })
    }

    /// The octets up to the next zero octet, which is passed over.
    pub(crate) fn until_zero(&mut self, field: &'static str) -> Result<&'a [u8], DecodeError> {
        let text = CStr::from_bytes_until_nul(self.rest).map_err(|_| self.error(field, Problem::Short))?;
        let octets = self.take(text.count_bytes(), field)?;
        self.byte(field)?;
        Ok(octets)
    }

    /// Refuses what is left.
    pub(crate) fn end(&self) -> Result<(), DecodeError> {
        if self.rest.is_empty() { Ok(()) } else { Err(self.error(MESSAGE, Problem::Trailing)) }
    }

    /// The error for a problem at the next octet.
    pub(crate) fn error(&self, field: &'static str, problem: Problem) -> DecodeError {
        DecodeError { at: self.at, field, problem }
    }
}
