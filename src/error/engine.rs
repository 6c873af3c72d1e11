//! What the query engine's errors mean to a client. Our own errors travel
//! through the engine boxed as `External` and are found again here.

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
            DataFusionError::ResourcesExhausted(text) => {
                let state = if text.contains("disk") {
                    SqlState::DISK_FULL
                } else {
                    SqlState::OUT_OF_MEMORY
                };
                Error::new(state, "the query needs more memory than it may use")
                    .with_hint("Raise query_memory in [limits], or ask for fewer rows.")
                    .with_cause(text)
            }
            DataFusionError::Context(_, inner) | DataFusionError::Diagnostic(_, inner) => {
                Error::from(*inner)
            }
            DataFusionError::Collection(mut all) if !all.is_empty() => Error::from(all.remove(0)),
            DataFusionError::ObjectStore(inner) => {
                Error::new(SqlState::IO_ERROR, "a data file could not be read").with_cause(inner)
            }
            DataFusionError::IoError(inner) => {
                Error::new(SqlState::IO_ERROR, "a file could not be read or written")
                    .with_cause(inner)
            }
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
        other => Error::internal(other.to_string()),
    }
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
