//! Comma-separated values, as RFC 4180 has them.

use super::{Arguments, Function, Refusal};
use crate::value::{Map, Value};

pub(super) const CSVDECODE: Function = Function::whole(
    "csvdecode(text)",
    "A map for each line but the first, which gives the keys.",
    r#"csvdecode("name,size\na,1\n\"b,c\",2\n")"#,
    r#"[{ name = "a", size = "1" }, { name = "b,c", size = "2" }]"#,
    |arguments| {
        let text = arguments.text(0)?;
        arguments.work(text.len() / 16)?;
        let mut rows = rows(&text, arguments)?.into_iter();
        let Some(keys) = rows.next() else { return Err(Refusal::new("there is no line with the keys").about(0)) };
        for (at, key) in keys.iter().enumerate() {
            if keys.iter().take(at).any(|other| other == key) {
                return Err(Refusal::new(format!("the key `{key}` is there twice")).about(0));
            }
        }
        let rows: Vec<Vec<String>> = rows.collect();
        // Every row has all the keys again.
        let size = keys.iter().map(String::len).sum::<usize>().saturating_mul(rows.len());
        arguments.room_for_text(size)?;
        let maps = rows.into_iter().enumerate().map(|(at, row)| {
            if row.len() != keys.len() {
                let (line, found, expected) = (at + 2, row.len(), keys.len());
                let message = format!("row {line} has {found} values, and the first has {expected}");
                return Err(Refusal::new(message).about(0));
            }
            Ok(Value::Map(keys.iter().cloned().zip(row.into_iter().map(Value::from)).collect::<Map>()))
        });
        Ok(Value::List(maps.collect::<Result<_, _>>()?))
    },
);

/// Most columns, as each is compared with those before it.
const COLUMNS: usize = 1_000;

/// The rows of the text; empty lines are left out.
fn rows(text: &str, arguments: &mut Arguments) -> Result<Vec<Vec<String>>, Refusal> {
    let mut rows = Vec::new();
    let mut values = 0;
    let mut rest = text;
    while !rest.is_empty() {
        let mut row = Vec::new();
        loop {
            let (value, after) = value(rest)?;
            row.push(value);
            values += 1;
            arguments.room_for_values(values)?;
            match after.strip_prefix(',') {
                Some(after) if row.len() < COLUMNS => rest = after,
                Some(_) => return Err(Refusal::new(format!("a row has more than {COLUMNS} values")).about(0)),
                None => {
                    rest = after.strip_prefix("\r\n").or_else(|| after.strip_prefix('\n')).unwrap_or(after);
                    break;
                }
            }
        }
        if row != [""] {
            rows.push(row);
        }
    }
    Ok(rows)
}

/// The value at the beginning of the text, and what follows it: a comma, the end of the line or nothing.
fn value(text: &str) -> Result<(String, &str), Refusal> {
    let Some(mut rest) = text.strip_prefix('"') else {
        let end = text.find([',', '\n']).unwrap_or(text.len());
        let (value, after) = text.split_at(end);
        // The end of a line may have two characters.
        let value = if after.starts_with(',') { value } else { value.strip_suffix('\r').unwrap_or(value) };
        return Ok((value.to_owned(), after));
    };
    let mut value = String::new();
    loop {
        let Some((part, after)) = rest.split_once('"') else {
            return Err(Refusal::new("a value in quotes does not end").about(0));
        };
        value.push_str(part);
        match after.strip_prefix('"') {
            Some(after) => {
                value.push('"');
                rest = after;
            }
            None if after.is_empty() || after.starts_with([',', '\n']) || after.starts_with("\r\n") => {
                return Ok((value, after));
            }
            None => return Err(Refusal::new("something follows the quotes round a value").about(0)),
        }
    }
}
