//! What the query engine's errors mean to a client. Our own errors travel
//! through the engine boxed as `External` and are found again here.

use std::io;

use datafusion::arrow::error::ArrowError;
use datafusion::error::DataFusionError;

use super::planner::{from_plan_text, from_schema};
use super::{Error, SqlState};

impl From<Error> for DataFusionError {
    fn from(error: Error) -> Self {
        DataFusionError::External(Box::new(error))
    }
}

impl From<Error> for ArrowError {
    fn from(error: Error) -> Self {
        ArrowError::ExternalError(Box::new(error))
    }
}

impl From<ArrowError> for Error {
    fn from(error: ArrowError) -> Self {
        from_arrow(error)
    }
}

impl From<DataFusionError> for Error {
    fn from(error: DataFusionError) -> Self {
        if let Some(ours) = find_ours(&error) {
            return ours;
        }
        match error {
            DataFusionError::ArrowError(inner, _) => from_arrow(*inner),
            DataFusionError::SQL(inner, _) => Error::new(SqlState::SYNTAX_ERROR, inner.to_string()),
            DataFusionError::SchemaError(inner, _) => from_schema(*inner),
            DataFusionError::NotImplemented(text) => Error::unsupported(first_line(&text)),
            DataFusionError::Plan(text) => from_plan_text(&text),
            DataFusionError::Execution(text) => from_execution_text(&text),
            DataFusionError::ResourcesExhausted(text) => match text.contains("disk") {
                true => no_room_to_spill().with_cause(text),
                false => Error::new(
                    SqlState::OUT_OF_MEMORY,
                    "the query needs more memory than it may use",
                )
                .with_hint("Raise query_memory in [limits], or ask for fewer rows.")
                .with_cause(text),
            },
            DataFusionError::Context(_, inner) | DataFusionError::Diagnostic(_, inner) => {
                Error::from(*inner)
            }
            // of what several wait for, a hash join's one side for example
            DataFusionError::Shared(inner) => Error::from(own(&inner)),
            DataFusionError::Collection(mut all) if !all.is_empty() => Error::from(all.remove(0)),
            DataFusionError::ObjectStore(inner) => {
                Error::new(SqlState::IO_ERROR, "a data file could not be read").with_cause(inner)
            }
            DataFusionError::IoError(inner) => from_io(inner),
            DataFusionError::ParquetError(inner) => {
                Error::new(SqlState::DATA_CORRUPTED, "a Parquet file could not be read")
                    .with_cause(inner)
            }
            other => Error::internal(other.to_string()),
        }
    }
}

/// Our own error, wherever in the chain the engine put it.
fn find_ours(error: &DataFusionError) -> Option<Error> {
    match error {
        DataFusionError::External(inner) => ours_in(inner.as_ref()),
        DataFusionError::ArrowError(inner, _) => match inner.as_ref() {
            ArrowError::ExternalError(inner) => ours_in(inner.as_ref()),
            _ => None,
        },
        DataFusionError::Context(_, inner) | DataFusionError::Diagnostic(_, inner) => {
            find_ours(inner)
        }
        DataFusionError::Shared(inner) => find_ours(inner),
        DataFusionError::ParquetError(inner) => ours_in(inner.as_ref()),
        DataFusionError::Collection(all) => all.iter().find_map(find_ours),
        _ => None,
    }
}

/// The same error as one that is not shared; of others than these, the text.
fn own(error: &DataFusionError) -> DataFusionError {
    match error {
        DataFusionError::Shared(inner) => own(inner),
        DataFusionError::Context(_, inner) | DataFusionError::Diagnostic(_, inner) => own(inner),
        DataFusionError::ResourcesExhausted(text) => {
            DataFusionError::ResourcesExhausted(text.clone())
        }
        DataFusionError::Execution(text) => DataFusionError::Execution(text.clone()),
        DataFusionError::Plan(text) => DataFusionError::Plan(text.clone()),
        DataFusionError::NotImplemented(text) => DataFusionError::NotImplemented(text.clone()),
        DataFusionError::ArrowError(inner, _) => {
            let arrow = match inner.as_ref() {
                ArrowError::DivideByZero => ArrowError::DivideByZero,
                ArrowError::ArithmeticOverflow(text) => {
                    ArrowError::ArithmeticOverflow(text.clone())
                }
                ArrowError::ComputeError(text) => ArrowError::ComputeError(text.clone()),
                ArrowError::CastError(text) => ArrowError::CastError(text.clone()),
                ArrowError::ParseError(text) => ArrowError::ParseError(text.clone()),
                ArrowError::InvalidArgumentError(text) => {
                    ArrowError::InvalidArgumentError(text.clone())
                }
                ArrowError::IoError(text, inner) => {
                    let inner = io::Error::new(inner.kind(), inner.to_string());
                    ArrowError::IoError(text.clone(), inner)
                }
                other => return DataFusionError::Internal(other.to_string()),
            };
            DataFusionError::ArrowError(Box::new(arrow), None)
        }
        DataFusionError::IoError(inner) => {
            DataFusionError::IoError(io::Error::new(inner.kind(), inner.to_string()))
        }
        other => DataFusionError::Internal(other.to_string()),
    }
}

fn ours_in(error: &(dyn std::error::Error + 'static)) -> Option<Error> {
    let mut current = Some(error);
    while let Some(error) = current {
        if let Some(ours) = error.downcast_ref::<Error>() {
            return Some(ours.duplicate());
        }
        if let Some(engine) = error.downcast_ref::<DataFusionError>() {
            return find_ours(engine);
        }
        if let Some(ArrowError::ExternalError(inner)) = error.downcast_ref::<ArrowError>() {
            return ours_in(inner.as_ref());
        }
        current = error.source();
    }
    None
}

fn from_arrow(error: ArrowError) -> Error {
    match error {
        ArrowError::DivideByZero => Error::new(SqlState::DIVISION_BY_ZERO, "division by zero"),
        ArrowError::ArithmeticOverflow(text) => {
            Error::new(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, "value out of range").with_cause(text)
        }
        ArrowError::ExternalError(inner) => match ours_in(inner.as_ref()) {
            Some(ours) => ours,
            None => Error::internal(inner.to_string()),
        },
        ArrowError::CastError(text) => {
            Error::new(SqlState::INVALID_TEXT_REPRESENTATION, first_line(&text))
        }
        ArrowError::ParseError(text) => {
            Error::new(SqlState::INVALID_TEXT_REPRESENTATION, first_line(&text))
        }
        ArrowError::ComputeError(text) | ArrowError::InvalidArgumentError(text) => {
            Error::new(SqlState::DATA_EXCEPTION, first_line(&text))
        }
        ArrowError::NotYetImplemented(text) => Error::unsupported(first_line(&text)),
        // what is spilled is written as Arrow's files
        ArrowError::IoError(text, inner) => match text.contains("used disk space") {
            true => no_room_to_spill().with_cause(text),
            false => from_io(inner),
        },
        other => Error::internal(other.to_string()),
    }
}

fn from_io(error: io::Error) -> Error {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Error::new(
            SqlState::DISK_FULL,
            "the disk that queries spill to is full",
        ),
        _ => Error::new(SqlState::IO_ERROR, "a file could not be read or written"),
    }
    .with_cause(error)
}

fn no_room_to_spill() -> Error {
    Error::new(
        SqlState::DISK_FULL,
        "the query needs more room to spill than it may use",
    )
    .with_hint("Raise spill_limit in [limits], or ask for fewer rows.")
}

fn from_execution_text(text: &str) -> Error {
    let line = first_line(text);
    let lower = line.to_ascii_lowercase();
    if let Some(known) = super::planner::known(&line) {
        return known;
    }
    let state = if lower.contains("overflow") || lower.contains("out of range") {
        SqlState::NUMERIC_VALUE_OUT_OF_RANGE
    } else if lower.contains("divide by zero") || lower.contains("division by zero") {
        SqlState::DIVISION_BY_ZERO
    } else {
        SqlState::DATA_EXCEPTION
    };
    Error::new(state, line)
}

/// The engine appends backtraces and plans after the first line.
pub(super) fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().trim().to_string()
}
