//! Values on their way into a statement and out of a row, the same for every engine.

use std::borrow::Cow;

/// The types of columns that all engines have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Kind {
    Integer,
    Text,
    Blob,
}

/// A parameter of a statement.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Param<'a> {
    /// Nothing, in the place of a value of this type.
    Null(Kind),
    Integer(i64),
    Text(Cow<'a, str>),
    Blob(&'a [u8]),
}

impl Param<'_> {
    /// Its type, which is the same for each use of a statement.
    pub(crate) fn kind(&self) -> Kind {
        match self {
            Self::Null(kind) => *kind,
            Self::Integer(_) => Kind::Integer,
            Self::Text(_) => Kind::Text,
            Self::Blob(_) => Kind::Blob,
        }
    }
}

/// What stands in a column of a row.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Cell<'a> {
    Null,
    Integer(i64),
    Text(&'a str),
    Blob(&'a [u8]),
}

/// What can be a parameter.
pub(crate) trait ToSql {
    fn to_sql(&self) -> Param<'_>;
}

/// What has a type of its own also when it is missing.
pub(crate) trait Typed {
    const KIND: Kind;
}

/// What can be read from a column; `None` if something else stands there.
pub(crate) trait FromSql: Sized {
    fn from_sql(cell: Cell<'_>) -> Option<Self>;
}

/// The parameters of a statement.
pub(crate) type Params<'a> = &'a [&'a dyn ToSql];

/// Values as the parameters of a statement, the first of which is `?1`.
macro_rules! params {
    ($($value:expr),* $(,)?) => {
        &[$(&$value as &dyn $crate::sql::ToSql),*] as &[&dyn $crate::sql::ToSql]
    };
}
pub(crate) use params;

impl<T: Typed + ToSql> ToSql for Option<T> {
    fn to_sql(&self) -> Param<'_> {
        self.as_ref().map_or(Param::Null(T::KIND), ToSql::to_sql)
    }
}

impl<T: FromSql> FromSql for Option<T> {
    fn from_sql(cell: Cell<'_>) -> Option<Self> {
        match cell {
            Cell::Null => Some(None),
            cell => T::from_sql(cell).map(Some),
        }
    }
}

impl<T: ToSql + ?Sized> ToSql for &T {
    fn to_sql(&self) -> Param<'_> {
        (**self).to_sql()
    }
}

impl<T: Typed + ?Sized> Typed for &T {
    const KIND: Kind = T::KIND;
}

macro_rules! integers {
    ($($type:ty),*) => {
        $(
            impl Typed for $type {
                const KIND: Kind = Kind::Integer;
            }

            impl ToSql for $type {
                fn to_sql(&self) -> Param<'_> {
                    Param::Integer(i64::from(*self))
                }
            }
        )*
    };
}

integers!(i64, i32, u32, u16, u8, bool);

macro_rules! read_integers {
    ($($type:ty),*) => {
        $(
            impl FromSql for $type {
                fn from_sql(cell: Cell<'_>) -> Option<Self> {
                    match cell {
                        Cell::Integer(number) => Self::try_from(number).ok(),
                        _ => None,
                    }
                }
            }
        )*
    };
}

read_integers!(i64, i32, u32, u16, u8);

impl FromSql for bool {
    fn from_sql(cell: Cell<'_>) -> Option<Self> {
        i64::from_sql(cell).map(|number| number != 0)
    }
}

impl Typed for str {
    const KIND: Kind = Kind::Text;
}

impl ToSql for str {
    fn to_sql(&self) -> Param<'_> {
        Param::Text(Cow::Borrowed(self))
    }
}

impl Typed for String {
    const KIND: Kind = Kind::Text;
}

impl ToSql for String {
    fn to_sql(&self) -> Param<'_> {
        self.as_str().to_sql()
    }
}

impl FromSql for String {
    fn from_sql(cell: Cell<'_>) -> Option<Self> {
        text(cell).map(str::to_owned)
    }
}

impl Typed for [u8] {
    const KIND: Kind = Kind::Blob;
}

impl ToSql for [u8] {
    fn to_sql(&self) -> Param<'_> {
        Param::Blob(self)
    }
}

impl Typed for Vec<u8> {
    const KIND: Kind = Kind::Blob;
}

impl ToSql for Vec<u8> {
    fn to_sql(&self) -> Param<'_> {
        Param::Blob(self)
    }
}

impl FromSql for Vec<u8> {
    fn from_sql(cell: Cell<'_>) -> Option<Self> {
        blob(cell).map(<[u8]>::to_vec)
    }
}

/// The text of a column that holds one.
pub(crate) fn text(cell: Cell<'_>) -> Option<&str> {
    match cell {
        Cell::Text(text) => Some(text),
        _ => None,
    }
}

/// The octets of a column that holds some.
pub(crate) fn blob(cell: Cell<'_>) -> Option<&[u8]> {
    match cell {
        Cell::Blob(octets) => Some(octets),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_keeps_its_type() {
        assert_eq!(None::<i64>.to_sql(), Param::Null(Kind::Integer));
        assert_eq!(None::<&str>.to_sql().kind(), Kind::Text);
        assert_eq!(Some(vec![1_u8]).to_sql(), Param::Blob(&[1]));
        assert_eq!(None::<Vec<u8>>.to_sql().kind(), vec![1_u8].to_sql().kind());
    }

    #[test]
    fn what_does_not_belong_is_refused() {
        assert_eq!(u16::from_sql(Cell::Integer(65_536)), None);
        assert_eq!(i64::from_sql(Cell::Text("1")), None);
        assert_eq!(String::from_sql(Cell::Null), None);
        assert_eq!(<Option<String>>::from_sql(Cell::Null), Some(None));
        assert_eq!(<Option<String>>::from_sql(Cell::Blob(&[])), None);
        assert_eq!(bool::from_sql(Cell::Integer(2)), Some(true));
    }
}
