//! `s3stack apply`

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::run::{Check, Order, carry_out, open};
use super::saved::Saved;
use crate::cli::{Global, StackPath};
use crate::deployment::Planned;
use crate::error::Error;
use crate::ui::Ui;

/// Make AWS what the stack says.
#[derive(Debug, Args)]
pub struct Arguments {
    #[command(flatten)]
    pub stack: StackPath,
    /// Approve beforehand.
    #[arg(short, long)]
    pub yes: bool,
    /// Carry out a plan that `plan --out` saved, if everything is still as it was then.
    #[arg(long, value_name = "FILE")]
    pub plan: Option<PathBuf>,
    /// Wait for another run to end: `90s`, `10m`.
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub lock_timeout: Option<Duration>,
}

/// Reads `90s`, `10m`, `1h`, or seconds.
pub fn duration(text: &str) -> Result<Duration, String> {
    let (number, unit) = match text.char_indices().last() {
        Some((at, 's')) => (&text[..at], 1),
        Some((at, 'm')) => (&text[..at], 60),
        Some((at, 'h')) => (&text[..at], 3600),
        _ => (text, 1),
    };
    let number: u64 = number.parse().map_err(|_| "expected a number with s, m or h, such as 10m".to_owned())?;
    number.checked_mul(unit).map(Duration::from_secs).ok_or_else(|| "that is too long".to_owned())
}

/// Runs the command.
pub async fn run(global: &Global, arguments: Arguments, ui: &mut Ui) -> Result<u8, Error> {
    let saved = arguments.plan.as_deref().map(Saved::read).transpose()?;
    let mut deployment = open(global, &arguments.stack.path, ui).await?;
    if let Some(saved) = &saved {
        deployment.expect_lineage(saved.lineage());
    }
    let check = saved.as_ref().map(|saved| move |planned: &Planned| saved.check(planned));
    let order = Order {
        command: "s3stack apply",
        destroy: saved.as_ref().is_some_and(|saved| saved.destroy),
        yes: arguments.yes,
        lock_timeout: arguments.lock_timeout,
        check: check.as_ref().map(|check| check as &Check<'_>),
    };
    carry_out(deployment, order, ui).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_with_and_without_unit() {
        assert_eq!(duration("90"), Ok(Duration::from_secs(90)));
        assert_eq!(duration("10m"), Ok(Duration::from_secs(600)));
        assert_eq!(duration("1h"), Ok(Duration::from_secs(3600)));
        for wrong in ["", "m", "-1", "1d", "ü", "99999999999999999999s", "18446744073709551615h"] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
    }
}
