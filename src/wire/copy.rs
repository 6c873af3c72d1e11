//! COPY … TO STDOUT: rows as CopyData in text, CSV or binary. Section 55.2.6
//! "COPY Operations" and the COPY page of the Postgres manual.

use super::backend::LARGEST_MESSAGE;
use super::connection::Connection;
use super::encode::{self, Column, Format};
use super::guard::{Failure, Guard};
use super::portal::{CHUNK, Report};
use crate::error::{Error, Result, SqlState};
use crate::session::{CopyFormat, CopyOptions, ForceQuote, Running};

pub async fn run(
    connection: &mut Connection,
    guard: &Guard,
    mut running: Running,
    options: &CopyOptions,
    report: &mut Report,
) -> Result<(), Failure> {
    report.route = running.route;
    let schema = running.cursor.schema.clone();
    let format = match options.format {
        CopyFormat::Binary => Format::Binary,
        CopyFormat::Text | CopyFormat::Csv => Format::Text,
    };
    let formats = vec![format; schema.fields().len()];
    let names: Vec<&str> = schema.fields().iter().map(|f| f.name().as_str()).collect();
    let quoted = force_quoted(&names, options)?;
    let style = connection.session.style();
    let channel = &mut connection.channel;
    channel.out.copy_out_response(format, names.len());
    prologue(channel.out.tail(), options, &names)?;
    let mut sent = 0;
    while let Some(batch) = guard.run(channel, running.cursor.next(u64::MAX)).await? {
        let columns = encode::columns(&batch, &schema, &formats, &style)?;
        for row in 0..batch.num_rows() {
            data(channel.out.tail(), |out| match options.format {
                CopyFormat::Text => text_row(&columns, row, options, out),
                CopyFormat::Csv => csv_row(&columns, row, options, &quoted, out),
                CopyFormat::Binary => binary_row(&columns, row, out),
            })?;
            if channel.out.len() >= CHUNK {
                guard.flush(channel).await?;
            }
        }
        sent += batch.num_rows() as u64;
        report.rows = sent;
    }
    if options.format == CopyFormat::Binary {
        data(channel.out.tail(), |out| {
            out.extend_from_slice(&(-1i16).to_be_bytes());
            Ok(())
        })?;
    }
    channel.out.copy_done();
    channel.out.command_complete(&running.tag.text(sent));
    Ok(())
}

/// What stands before the rows: the binary signature, or a header line.
fn prologue(out: &mut Vec<u8>, options: &CopyOptions, names: &[&str]) -> Result<()> {
    if options.format == CopyFormat::Binary {
        return data(out, |out| {
            out.extend_from_slice(b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0");
            Ok(())
        });
    }
    if !options.header {
        return Ok(());
    }
    data(out, |out| {
        for (position, name) in names.iter().enumerate() {
            if position > 0 {
                out.push(options.delimiter);
            }
            let start = out.len();
            out.extend_from_slice(name.as_bytes());
            match options.format {
                CopyFormat::Csv => quote_csv(out, start, options, names.len() == 1, false),
                _ => escape_text(out, start, options.delimiter),
            }
        }
        out.push(b'\n');
        Ok(())
    })
}

/// One CopyData message around what `body` writes.
fn data(out: &mut Vec<u8>, body: impl FnOnce(&mut Vec<u8>) -> Result<()>) -> Result<()> {
    let start = out.len();
    out.extend_from_slice(&[b'd', 0, 0, 0, 0]);
    let written = body(out);
    let length = out.len() - start - 1;
    if written.is_err() || length > LARGEST_MESSAGE {
        out.truncate(start);
        return written.and(Err(encode::too_large()));
    }
    // below 2^30
    out[start + 1..start + 5].copy_from_slice(&(length as u32).to_be_bytes());
    Ok(())
}

fn force_quoted(names: &[&str], options: &CopyOptions) -> Result<Vec<bool>> {
    match &options.force_quote {
        ForceQuote::None => Ok(vec![false; names.len()]),
        ForceQuote::All => Ok(vec![true; names.len()]),
        ForceQuote::Columns(columns) => {
            if let Some(missing) = columns.iter().find(|c| !names.contains(&c.as_str())) {
                return Err(Error::new(
                    SqlState::UNDEFINED_COLUMN,
                    format!("column \"{missing}\" does not exist"),
                ));
            }
            Ok(names
                .iter()
                .map(|name| columns.iter().any(|column| column == name))
                .collect())
        }
    }
}

fn text_row(
    columns: &[Column],
    row: usize,
    options: &CopyOptions,
    out: &mut Vec<u8>,
) -> Result<()> {
    for (position, column) in columns.iter().enumerate() {
        if position > 0 {
            out.push(options.delimiter);
        }
        if column.is_null(row) {
            out.extend_from_slice(options.null.as_bytes());
            continue;
        }
        let start = out.len();
        column.write_text(row, out)?;
        escape_text(out, start, options.delimiter);
    }
    out.push(b'\n');
    Ok(())
}

fn escape_text(out: &mut Vec<u8>, start: usize, delimiter: u8) {
    let special = |byte: u8| matches!(byte, b'\\' | 0x08..=0x0d) || byte == delimiter;
    if !out[start..].iter().any(|byte| special(*byte)) {
        return;
    }
    let plain = out.split_off(start);
    for byte in plain {
        if !special(byte) {
            out.push(byte);
            continue;
        }
        out.push(b'\\');
        out.push(match byte {
            0x08 => b'b',
            b'\t' => b't',
            b'\n' => b'n',
            0x0b => b'v',
            0x0c => b'f',
            b'\r' => b'r',
            other => other,
        });
    }
}

fn csv_row(
    columns: &[Column],
    row: usize,
    options: &CopyOptions,
    quoted: &[bool],
    out: &mut Vec<u8>,
) -> Result<()> {
    for (position, column) in columns.iter().enumerate() {
        if position > 0 {
            out.push(options.delimiter);
        }
        if column.is_null(row) {
            out.extend_from_slice(options.null.as_bytes());
            continue;
        }
        let start = out.len();
        column.write_text(row, out)?;
        quote_csv(out, start, options, columns.len() == 1, quoted[position]);
    }
    out.push(b'\n');
    Ok(())
}

/// Quotes what was written from `start` on, where it would be misread otherwise.
fn quote_csv(out: &mut Vec<u8>, start: usize, options: &CopyOptions, alone: bool, force: bool) {
    let value = &out[start..];
    let needs = force
        || value == options.null.as_bytes()
        // a lone \. would end the data
        || (alone && value == b"\\.")
        || value
            .iter()
            .any(|b| *b == options.delimiter || *b == options.quote || matches!(b, b'\n' | b'\r'));
    if !needs {
        return;
    }
    let plain = out.split_off(start);
    out.push(options.quote);
    for byte in plain {
        if byte == options.quote || byte == options.escape {
            out.push(options.escape);
        }
        out.push(byte);
    }
    out.push(options.quote);
}

fn binary_row(columns: &[Column], row: usize, out: &mut Vec<u8>) -> Result<()> {
    let count = u16::try_from(columns.len()).map_err(|_| encode::too_large())?;
    out.extend_from_slice(&count.to_be_bytes());
    for column in columns {
        column.write_cell(row, out)?;
    }
    Ok(())
}
