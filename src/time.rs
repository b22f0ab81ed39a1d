//! Moments as text.

use std::time::SystemTime;

use aws_smithy_types::DateTime;
use aws_smithy_types::date_time::Format;

/// A moment in RFC 3339, UTC, to the second.
pub fn rfc3339(moment: SystemTime) -> String {
    let seconds = DateTime::from(moment).secs();
    DateTime::from_secs(seconds).fmt(Format::DateTime).unwrap_or_else(|_| format!("{seconds} s since 1970"))
}
