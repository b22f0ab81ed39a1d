//! Waiting until AWS's answers show what was written a moment ago.

use std::time::Duration;

use s3stack_engine::plan::questions::Question;
use tokio::time::Instant;

use crate::deployment::Notice;

/// The longest pause between two looks.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// How long, and how, one plan waits.
pub struct Patience {
    until: Instant,
    pause: Duration,
    is_told: bool,
}

impl Patience {
    /// A wait of `within` at most from now on, all pauses together.
    pub fn new(within: Duration) -> Self {
        Self { until: Instant::now() + within, pause: Duration::from_millis(500), is_told: false }
    }

    /// Whether no more waiting is in order.
    pub fn is_over(&self) -> bool {
        Instant::now() >= self.until
    }

    /// Waits a while before `questions` are asked again, each time longer; says so once.
    pub async fn pause(&mut self, questions: &[Question], notice: Option<&Notice>) {
        if let (Some(notice), Some(first)) = (notice, questions.first().filter(|_| !self.is_told)) {
            self.is_told = true;
            let others = match questions.len() {
                1 => String::new(),
                more => format!(" and of {} more", more - 1),
            };
            notice(&format!(
                "AWS does not show yet what was written a moment ago of {}{others}; looking again for up to {} s",
                first.address,
                self.until.saturating_duration_since(Instant::now()).as_secs().max(1)
            ));
        }
        tokio::time::sleep_until(self.until.min(Instant::now() + self.pause)).await;
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
    }
}
