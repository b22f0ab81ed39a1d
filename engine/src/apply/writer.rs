//! When the state is written: as seldom as is safe, one write at a time.

use std::time::Duration;

/// The least time that writes of finished operations may be collected for.
const WAVE: Duration = Duration::from_secs(1);
/// Writes take at most a tenth of the time.
const SHARE: u32 = 10;
/// Attempts at one write, beyond those the backend makes itself.
const ATTEMPTS: u32 = 5;

/// Counts changes of the state, and which of them are stored.
///
/// A *generation* is the number of changes so far: something is stored once a write of its generation or a later one was
/// confirmed.
#[derive(Debug)]
pub(super) struct Writer {
    serial: u64,
    changed: u64,
    stored: u64,
    in_flight: Option<u64>,
    dirty_since: Option<Duration>,
    urgent: u64,
    took: Duration,
    failures: u32,
    retry_at: Option<Duration>,
}

impl Writer {
    /// A writer after a state of `serial`.
    pub fn new(serial: u64) -> Self {
        Self {
            serial,
            changed: 0,
            stored: 0,
            in_flight: None,
            dirty_since: None,
            urgent: 0,
            took: Duration::ZERO,
            failures: 0,
            retry_at: None,
        }
    }

    /// Notes a change and gives its generation.
    pub fn change(&mut self, now: Duration) -> u64 {
        self.changed += 1;
        self.dirty_since.get_or_insert(now);
        self.changed
    }

    /// Notes that something waits for `generation` to be stored.
    pub fn hurry(&mut self, generation: u64) {
        self.urgent = self.urgent.max(generation);
    }

    /// Whether `generation` is stored.
    pub fn has_stored(&self, generation: u64) -> bool {
        self.stored >= generation
    }

    /// Whether everything is stored.
    pub fn is_clean(&self) -> bool {
        self.stored == self.changed
    }

    /// Whether a write is in flight.
    pub fn is_writing(&self) -> bool {
        self.in_flight.is_some()
    }

    /// Whether the last write failed and was not yet made good: then no operation is started.
    pub fn is_failing(&self) -> bool {
        self.failures > 0
    }

    /// Whether to write now. `idle`: nothing else is going on that would be worth waiting for.
    pub fn is_due(&self, now: Duration, idle: bool) -> bool {
        let is_due = match self.retry_at {
            Some(at) => at <= now,
            None => idle || self.urgent > self.stored || self.due().is_some_and(|due| due <= now),
        };
        is_due && !self.is_writing() && !self.is_clean()
    }

    /// When the next write is due; `None` while one is in flight or nothing is to be written.
    pub fn next(&self) -> Option<Duration> {
        (!self.is_writing() && !self.is_clean()).then(|| self.retry_at.or_else(|| self.due())).flatten()
    }

    fn due(&self) -> Option<Duration> {
        self.dirty_since.map(|since| since + WAVE.max(self.took * SHARE))
    }

    /// Begins a write and gives its serial. A failed write used none.
    pub fn begin(&mut self) -> u64 {
        self.in_flight = Some(self.changed);
        self.dirty_since = None;
        self.retry_at = None;
        self.serial + 1
    }

    /// Notes that the write was confirmed, and gives its serial.
    pub fn confirm(&mut self, took: Duration) -> u64 {
        if let Some(generation) = self.in_flight.take() {
            self.stored = generation;
            self.serial += 1;
        }
        self.took = took;
        self.failures = 0;
        self.serial
    }

    /// Notes that the write failed; says whether to give up.
    pub fn fail(&mut self, now: Duration) -> bool {
        self.in_flight = None;
        self.dirty_since = Some(now);
        self.failures += 1;
        self.retry_at = Some(now + Duration::from_secs(1 << self.failures.min(5)));
        self.failures >= ATTEMPTS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[test]
    fn changes_are_collected_for_a_second_or_ten_times_the_last_write() {
        let mut writer = Writer::new(7);
        writer.change(at(0));
        assert!(!writer.is_due(at(999), false));
        assert!(writer.is_due(at(1000), false));
        assert_eq!(writer.begin(), 8);
        let late = writer.change(at(1000));
        assert!(!writer.is_due(at(9000), false), "one write at a time");
        assert_eq!(writer.confirm(at(500)), 8);
        assert!(!writer.has_stored(late));
        assert!(!writer.is_due(at(5999), false));
        assert!(writer.is_due(at(6000), false));
    }

    #[test]
    fn what_something_waits_for_is_written_at_once() {
        let mut writer = Writer::new(0);
        let generation = writer.change(at(0));
        writer.hurry(generation);
        assert!(writer.is_due(at(0), false));
    }

    #[test]
    fn a_failed_write_is_tried_again_later_with_the_same_serial_and_given_up_in_the_end() {
        let mut writer = Writer::new(0);
        writer.change(at(0));
        let mut now = at(0);
        for attempt in 1..=ATTEMPTS {
            assert_eq!(writer.begin(), 1);
            assert_eq!(writer.fail(now), attempt == ATTEMPTS);
            assert!(!writer.is_due(now, true));
            now = writer.next().unwrap();
            assert!(writer.is_due(now, true));
        }
    }
}
