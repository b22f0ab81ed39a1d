//! The clock that the lease's owner goes by.

use std::time::Duration;

use async_trait::async_trait;

/// A monotonic clock that also counts the time the machine sleeps.
#[async_trait]
pub trait Clock: Send + Sync {
    /// The time since some fixed moment.
    fn now(&self) -> Duration;

    /// Waits, by this clock.
    async fn sleep(&self, duration: Duration);
}

/// This machine's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

/// Timers of the runtime stand still while the machine sleeps, so a long wait looks at the clock this often.
const SLICE: Duration = Duration::from_secs(1);

// On Linux CLOCK_MONOTONIC stands still during suspension and CLOCK_BOOTTIME goes on. Darwin's CLOCK_MONOTONIC goes on
// (clock_gettime(3): "will continue to increment while the system is asleep"); mach_continuous_time, which no correction
// of the wall clock touches, has no safe binding.
#[cfg(target_os = "linux")]
const CLOCK: rustix::time::ClockId = rustix::time::ClockId::Boottime;
#[cfg(not(target_os = "linux"))]
const CLOCK: rustix::time::ClockId = rustix::time::ClockId::Monotonic;

#[async_trait]
impl Clock for SystemClock {
    fn now(&self) -> Duration {
        // Neither field is ever negative for these clocks.
        let now = rustix::time::clock_gettime(CLOCK);
        Duration::new(u64::try_from(now.tv_sec).unwrap_or(0), u32::try_from(now.tv_nsec).unwrap_or(0))
    }

    async fn sleep(&self, duration: Duration) {
        let until = self.now().saturating_add(duration);
        loop {
            let left = until.saturating_sub(self.now());
            if left.is_zero() {
                return;
            }
            tokio::time::sleep(left.min(SLICE)).await;
        }
    }
}
