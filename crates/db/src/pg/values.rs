//! Binding values to PostgreSQL's types and reading columns back.

use std::error::Error;

use postgres::Row;
use postgres::types::private::BytesMut;
use postgres::types::{FromSql, IsNull, ToSql, Type, to_sql_checked};

use crate::{DbError, Value};

impl ToSql for Value<'_> {
    fn to_sql(&self, kind: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        match (self, kind) {
            (Self::Null, _) => Ok(IsNull::Yes),
            (Self::Int(number), &Type::INT8) => number.to_sql(kind, out),
            // Where the statement was prepared with NULL here, the server may have chosen these.
            (Self::Int(number), &Type::INT4) => i32::try_from(*number)?.to_sql(kind, out),
            (Self::Int(number), &Type::INT2) => i16::try_from(*number)?.to_sql(kind, out),
            (Self::Text(text), &(Type::TEXT | Type::VARCHAR | Type::BPCHAR | Type::NAME)) => {
                text.as_ref().to_sql(kind, out)
            }
            (Self::Blob(bytes), &Type::BYTEA) => bytes.as_ref().to_sql(kind, out),
            (Self::Int(_), _) => Err(format!("a whole number was given where {kind} is expected").into()),
            (Self::Text(_), _) => Err(format!("text was given where {kind} is expected").into()),
            (Self::Blob(_), _) => Err(format!("bytes were given where {kind} is expected").into()),
        }
    }

    fn accepts(_kind: &Type) -> bool {
        // Decided by value and type together, above.
        true
    }

    to_sql_checked!();
}

/// The type a placeholder is prepared with; none means that the server infers it.
pub(crate) fn type_of(value: &Value<'_>) -> Type {
    match value {
        Value::Null => Type::UNKNOWN,
        Value::Int(_) => Type::INT8,
        Value::Text(_) => Type::TEXT,
        Value::Blob(_) => Type::BYTEA,
    }
}

pub(crate) fn int(row: &Row, column: usize) -> Result<Option<i64>, DbError> {
    match *kind_of(row, column)? {
        Type::INT8 => get(row, column),
        Type::INT4 => Ok(get::<i32>(row, column)?.map(i64::from)),
        Type::INT2 => Ok(get::<i16>(row, column)?.map(i64::from)),
        Type::BOOL => Ok(get::<bool>(row, column)?.map(i64::from)),
        ref other => Err(wrong_type(column, other, "a whole number")),
    }
}

pub(crate) fn text(row: &Row, column: usize) -> Result<Option<&str>, DbError> {
    match *kind_of(row, column)? {
        Type::TEXT | Type::VARCHAR | Type::BPCHAR | Type::NAME => get(row, column),
        ref other => Err(wrong_type(column, other, "text")),
    }
}

pub(crate) fn bytes(row: &Row, column: usize) -> Result<Option<Vec<u8>>, DbError> {
    match *kind_of(row, column)? {
        Type::BYTEA => get(row, column),
        ref other => Err(wrong_type(column, other, "bytes")),
    }
}

fn get<'r, T: FromSql<'r>>(row: &'r Row, column: usize) -> Result<Option<T>, DbError> {
    row.try_get(column).map_err(|error| DbError::Value(error.to_string()))
}

fn kind_of(row: &Row, column: usize) -> Result<&Type, DbError> {
    row.columns()
        .get(column)
        .map(postgres::Column::type_)
        .ok_or_else(|| DbError::Value(format!("a row has no column {column}")))
}

fn wrong_type(column: usize, found: &Type, wanted: &str) -> DbError {
    DbError::Value(format!("column {column} of a row is {found} where {wanted} is expected"))
}
