//! Functions of dates that are given: there is no clock.

use time::format_description::well_known::Rfc3339;
use time::{Duration, OffsetDateTime, UtcOffset};

use super::{Arguments, Function, Refusal};
use crate::value::Value;

pub(super) const FORMATDATE: Function = Function::whole(
    "formatdate(pattern, time)",
    "The time (of RFC 3339) as the pattern writes it: YYYY YY, MMMM MMM MM M, DD D, EEEE EEE, hh h HH H, mm m, ss s, AA aa, ZZZZZ ZZZZ ZZZ Z; text stands between single quotes.",
    r#"formatdate("EEE, DD MMM YYYY 'at' hh:mm ZZZ", "2025-03-09T07:05:00Z")"#,
    r#""Sun, 09 Mar 2025 at 07:05 UTC""#,
    |arguments| {
        let (pattern, time) = (arguments.text(0)?, time(arguments, 1)?);
        arguments.work(pattern.len() / 4)?;
        // A letter becomes at most the name of a month.
        arguments.room_for_text(pattern.len().saturating_mul(9))?;
        written(&pattern, time).map(Value::from).map_err(|refusal| refusal.about(0))
    },
);

pub(super) const TIMEADD: Function = Function::whole(
    "timeadd(time, duration)",
    r#"The time (of RFC 3339) after a duration such as "72h", "1h30m" or "-10m"; units are h, m, s, ms, us and ns."#,
    r#"timeadd("2025-12-31T23:30:00Z", "1h30m")"#,
    r#""2026-01-01T01:00:00Z""#,
    |arguments| {
        let (time, text) = (time(arguments, 0)?, arguments.text(1)?);
        let duration = duration(&text)
            .ok_or_else(|| Refusal::new(format!("`{text}` is no duration such as 72h, 1h30m or -10m")).about(1))?;
        let later = time.checked_add(duration).filter(|time| (0..=9999).contains(&time.year()));
        let later = later.ok_or_else(|| Refusal::new("the years go from 0 to 9999").about(1))?;
        let (date, offset) = (written("YYYY-MM-DD'T'hh:mm:ss", later)?, written("Z", later)?);
        Ok(format!("{date}{offset}").into())
    },
);

pub(super) const TIMECMP: Function = Function::whole(
    "timecmp(left, right)",
    "-1, 0 or 1, as the left time (of RFC 3339) is before, at or after the right one.",
    r#"timecmp("2025-01-01T00:00:00Z", "2025-01-01T01:00:00+02:00")"#,
    "1",
    |arguments| Ok(Value::Integer(time(arguments, 0)?.cmp(&time(arguments, 1)?) as i64)),
);

fn time(arguments: &mut Arguments, at: usize) -> Result<OffsetDateTime, Refusal> {
    let text = arguments.text(at)?;
    OffsetDateTime::parse(&text, &Rfc3339)
        .map_err(|_| Refusal::new(format!("`{text}` is no time such as 2025-03-09T07:05:00Z")).about(at))
}

/// What a duration comes to. Each part has a number, which may have a fraction, and a unit.
fn duration(text: &str) -> Option<Duration> {
    let (negative, mut rest) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    if rest == "0" {
        return Some(Duration::ZERO);
    }
    let mut total = 0_i128;
    loop {
        let number_end = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, after) = rest.split_at(number_end);
        let unit_end = after.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(after.len());
        let (unit, after) = after.split_at(unit_end);
        let nanoseconds: i128 = match unit {
            "h" => 3_600_000_000_000,
            "m" => 60_000_000_000,
            "s" => 1_000_000_000,
            "ms" => 1_000_000,
            "us" | "µs" => 1_000,
            "ns" => 1,
            _ => return None,
        };
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        if whole.len() > 18 || fraction.len() > 9 || (whole.is_empty() && fraction.is_empty()) {
            return None;
        }
        let digits = |digits: &str| if digits.is_empty() { Some(0) } else { digits.parse::<i128>().ok() };
        let scale = 10_i128.checked_pow(u32::try_from(fraction.len()).ok()?)?;
        total = total.checked_add(digits(whole)?.checked_mul(nanoseconds)?)?;
        total = total.checked_add(digits(fraction)?.checked_mul(nanoseconds)?.checked_div(scale)?)?;
        rest = after;
        if rest.is_empty() {
            break;
        }
    }
    let total = if negative { -total } else { total };
    let seconds = i64::try_from(total / 1_000_000_000).ok()?;
    Some(Duration::new(seconds, i32::try_from(total % 1_000_000_000).ok()?))
}

fn written(pattern: &str, time: OffsetDateTime) -> Result<String, Refusal> {
    let mut text = String::new();
    let mut rest = pattern;
    while let Some(c) = rest.chars().next() {
        if c == '\'' {
            rest = quoted(rest, &mut text)?;
        } else if c.is_ascii_alphabetic() {
            let after = rest.trim_start_matches(c);
            let word = rest.get(..rest.len() - after.len()).unwrap_or_default();
            text.push_str(&field(word, time).ok_or_else(|| {
                let help = "a word of the text itself stands between single quotes";
                Refusal::new(format!("the pattern has no `{word}`; {help}"))
            })?);
            rest = after;
        } else {
            text.push(c);
            rest = rest.get(c.len_utf8()..).unwrap_or_default();
        }
    }
    Ok(text)
}

/// Writes the text between the quotes at the beginning, in which two quotes are one; answers what follows.
fn quoted<'a>(pattern: &'a str, text: &mut String) -> Result<&'a str, Refusal> {
    let mut rest = pattern.strip_prefix('\'').unwrap_or(pattern);
    loop {
        let Some((part, after)) = rest.split_once('\'') else {
            return Err(Refusal::new("a quote in the pattern is not closed"));
        };
        text.push_str(part);
        let Some(after) = after.strip_prefix('\'') else { return Ok(after) };
        text.push('\'');
        rest = after;
    }
}

fn field(word: &str, time: OffsetDateTime) -> Option<String> {
    let twelve = match time.hour() % 12 {
        0 => 12,
        hour => hour,
    };
    let name = |name: String, letters: usize| name.chars().take(letters).collect::<String>();
    Some(match word {
        "YYYY" => format!("{:04}", time.year()),
        "YY" => format!("{:02}", time.year().rem_euclid(100)),
        "MMMM" => time.month().to_string(),
        "MMM" => name(time.month().to_string(), 3),
        "MM" => format!("{:02}", u8::from(time.month())),
        "M" => u8::from(time.month()).to_string(),
        "DD" => format!("{:02}", time.day()),
        "D" => time.day().to_string(),
        "EEEE" => time.weekday().to_string(),
        "EEE" => name(time.weekday().to_string(), 3),
        "hh" => format!("{:02}", time.hour()),
        "h" => time.hour().to_string(),
        "HH" => format!("{twelve:02}"),
        "H" => twelve.to_string(),
        "AA" => if time.hour() < 12 { "AM" } else { "PM" }.into(),
        "aa" => if time.hour() < 12 { "am" } else { "pm" }.into(),
        "mm" => format!("{:02}", time.minute()),
        "m" => time.minute().to_string(),
        "ss" => format!("{:02}", time.second()),
        "s" => time.second().to_string(),
        "ZZZZZ" => offset(time.offset(), ":"),
        "ZZZZ" => offset(time.offset(), ""),
        "ZZZ" if time.offset().is_utc() => "UTC".into(),
        "ZZZ" => offset(time.offset(), ""),
        "Z" if time.offset().is_utc() => "Z".into(),
        "Z" => offset(time.offset(), ":"),
        _ => return None,
    })
}

fn offset(offset: UtcOffset, between: &str) -> String {
    let (hours, minutes, _) = offset.as_hms();
    let sign = if offset.is_negative() { '-' } else { '+' };
    format!("{sign}{:02}{between}{:02}", hours.unsigned_abs(), minutes.unsigned_abs())
}
