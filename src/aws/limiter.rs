//! How many calls are under way at once: one limiter per account, region, service and class of operation.
//!
//! It starts wide open, halves on a throttle and recovers by one at a time (the AWS rates are mostly unpublished, so
//! they are found rather than configured). Where even one call at a time is too fast, it also spaces their starts.
//! Waiting calls are served in the order they came; a call that is repeated keeps its place.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::Instant;

/// So many calls of one class are under way at once, until the service objects.
///
/// A plan is all reads, and its time is theirs. An apply waits for what depends on what, and each call under way holds a
/// connection with its buffers, which is most of the memory of an apply.
pub const fn widest(reads: bool) -> usize {
    if reads { 100 } else { 32 }
}

/// The rule, without waiting: how many calls may be under way and how far apart they start.
#[derive(Debug)]
struct Window {
    widest: usize,
    width: usize,
    under_way: usize,
    /// The least time between two starts; zero until the width is one and that is still too much.
    spacing: Duration,
    /// No call starts before this.
    next_start: Option<Instant>,
    /// When the width last changed. Calls begun before the last cut say nothing about the width after it.
    cut_at: Option<Instant>,
    widened_at: Option<Instant>,
}

impl Window {
    const FIRST_SPACING: Duration = Duration::from_millis(50);
    const LONGEST_SPACING: Duration = Duration::from_secs(2);
    /// The width grows by one at most this often, and a second after a cut at the earliest.
    const WIDEN_EVERY: Duration = Duration::from_millis(200);
    const REST_AFTER_CUT: Duration = Duration::from_secs(1);

    fn new(widest: usize) -> Self {
        let widest = widest.max(1);
        Self {
            widest,
            width: widest,
            under_way: 0,
            spacing: Duration::ZERO,
            next_start: None,
            cut_at: None,
            widened_at: None,
        }
    }

    fn has_room(&self) -> bool {
        self.under_way < self.width
    }

    /// Takes a place and says when the call may start: now, or later where starts are spaced.
    fn take(&mut self, now: Instant) -> Instant {
        self.under_way += 1;
        let start = self.next_start.map_or(now, |next| next.max(now));
        self.next_start = (!self.spacing.is_zero()).then(|| start + self.spacing);
        start
    }

    fn give_back(&mut self) {
        self.under_way = self.under_way.saturating_sub(1);
    }

    fn throttled(&mut self, began: Instant, now: Instant) {
        if self.cut_at.is_some_and(|cut| began <= cut) {
            return;
        }
        self.cut_at = Some(now);
        if self.width > 1 {
            self.width /= 2;
        } else {
            self.spacing = (self.spacing * 2).clamp(Self::FIRST_SPACING, Self::LONGEST_SPACING);
            self.next_start = Some(now + self.spacing);
        }
    }

    fn answered(&mut self, now: Instant) {
        if self.cut_at.is_none() {
            return;
        }
        if !self.spacing.is_zero() {
            self.spacing = self.spacing.mul_f64(0.9);
            if self.spacing < Duration::from_millis(10) {
                self.spacing = Duration::ZERO;
            }
            return;
        }
        let rested = self.cut_at.is_none_or(|cut| now.duration_since(cut) >= Self::REST_AFTER_CUT);
        let due = self.widened_at.is_none_or(|at| now.duration_since(at) >= Self::WIDEN_EVERY);
        // Only a width that was used up is known to be too small.
        if rested && due && self.under_way >= self.width && self.width < self.widest {
            self.width += 1;
            self.widened_at = Some(now);
        }
    }
}

/// A limiter that calls wait at. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Limiter(Arc<Mutex<Inner>>);

#[derive(Debug)]
struct Inner {
    window: Window,
    next_place: u64,
    waiting: BTreeMap<u64, oneshot::Sender<Permit>>,
}

/// What the attempt said about the rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The service took the request, whatever it answered.
    Answered,
    /// It asked for fewer.
    Throttled,
    /// No answer: nothing is known.
    Silent,
}

/// The right to have one attempt under way; dropping it gives it back.
#[derive(Debug)]
pub struct Permit {
    limiter: Limiter,
    /// The place in the queue, to come back to when the call is repeated.
    place: u64,
    start: Instant,
}

impl Limiter {
    /// A limiter that lets up to `widest` calls be under way.
    pub fn new(widest: usize) -> Self {
        Self(Arc::new(Mutex::new(Inner { window: Window::new(widest), next_place: 0, waiting: BTreeMap::new() })))
    }

    /// Waits for the right to make an attempt, at `place` if the call has been here before. Dropping the future gives
    /// the place up.
    pub async fn acquire(&self, place: Option<u64>) -> Permit {
        let permit = match self.join(place) {
            Ok(permit) => permit,
            Err((place, waiter)) => {
                let _leaving = Leaving { limiter: self, place };
                // A repeated call may stand before others that the open places were meant for.
                self.serve();
                match waiter.await {
                    Ok(permit) => permit,
                    // Nobody but this future takes its sender out of the queue unused.
                    Err(_) => self.permit(&mut self.lock(), place),
                }
            }
        };
        if permit.start > Instant::now() {
            tokio::time::sleep_until(permit.start).await;
        }
        permit
    }

    /// Takes a free place, or else a place in the queue.
    fn join(&self, place: Option<u64>) -> Result<Permit, (u64, oneshot::Receiver<Permit>)> {
        let mut inner = self.lock();
        let place = place.unwrap_or_else(|| {
            inner.next_place += 1;
            inner.next_place
        });
        if inner.waiting.is_empty() && inner.window.has_room() {
            return Ok(self.permit(&mut inner, place));
        }
        let (sender, receiver) = oneshot::channel();
        inner.waiting.insert(place, sender);
        Err((place, receiver))
    }

    fn permit(&self, inner: &mut Inner, place: u64) -> Permit {
        let start = inner.window.take(Instant::now());
        Permit { limiter: self.clone(), place, start }
    }

    /// Hands free places to those who wait, first come first served.
    fn serve(&self) {
        loop {
            let (sender, permit) = {
                let mut inner = self.lock();
                if !inner.window.has_room() {
                    return;
                }
                let Some((place, sender)) = inner.waiting.pop_first() else { return };
                (sender, self.permit(&mut inner, place))
            };
            // The lock is free here: a permit that nobody takes is dropped, which gives it back.
            drop(sender.send(permit));
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many calls may be under way now.
    pub fn width(&self) -> usize {
        self.lock().window.width
    }
}

impl Permit {
    /// The place in the queue, for [`Limiter::acquire`] when the call is repeated.
    pub fn place(&self) -> u64 {
        self.place
    }

    /// Gives the right back and says what the attempt told about the rate.
    pub fn done(self, outcome: Outcome) {
        let now = Instant::now();
        let mut inner = self.limiter.lock();
        match outcome {
            Outcome::Answered => inner.window.answered(now),
            Outcome::Throttled => inner.window.throttled(self.start, now),
            Outcome::Silent => {}
        }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.limiter.lock().window.give_back();
        self.limiter.serve();
    }
}

/// Takes a waiter out of the queue if its future is dropped.
struct Leaving<'a> {
    limiter: &'a Limiter,
    place: u64,
}

impl Drop for Leaving<'_> {
    fn drop(&mut self) {
        self.limiter.lock().waiting.remove(&self.place);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn millis(now: Instant, millis: u64) -> Instant {
        now + Duration::from_millis(millis)
    }

    #[test]
    fn a_window_is_wide_open_until_a_throttle() {
        let now = Instant::now();
        let mut window = Window::new(64);
        for _ in 0..64 {
            assert!(window.has_room());
            assert_eq!(window.take(now), now);
        }
        assert!(!window.has_room());
    }

    #[test]
    fn one_burst_of_throttles_halves_once() {
        let now = Instant::now();
        let mut window = Window::new(64);
        for _ in 0..64 {
            window.take(now);
        }
        for _ in 0..64 {
            window.throttled(now, millis(now, 50));
        }
        assert_eq!(window.width, 32);
        window.throttled(millis(now, 60), millis(now, 100));
        assert_eq!(window.width, 16);
    }

    #[test]
    fn a_window_recovers_by_one_and_only_when_used_up() {
        let now = Instant::now();
        let mut window = Window::new(8);
        window.throttled(now, millis(now, 1));
        assert_eq!(window.width, 4);
        window.answered(millis(now, 5000));
        assert_eq!(window.width, 4, "nothing was waiting for more");
        for _ in 0..4 {
            window.take(now);
        }
        window.answered(millis(now, 500));
        assert_eq!(window.width, 4, "too soon after the cut");
        window.answered(millis(now, 1100));
        assert_eq!(window.width, 5);
        window.take(now);
        window.answered(millis(now, 1150));
        assert_eq!(window.width, 5, "too soon after the last step");
        window.answered(millis(now, 1400));
        assert_eq!(window.width, 6);
    }

    #[test]
    fn where_one_at_a_time_is_too_fast_starts_are_spaced() {
        let now = Instant::now();
        let mut window = Window::new(1);
        window.throttled(now, millis(now, 1));
        assert_eq!(window.spacing, Window::FIRST_SPACING);
        assert_eq!(window.take(millis(now, 1)), millis(now, 51));
        window.give_back();
        assert_eq!(window.take(millis(now, 60)), millis(now, 101));
        window.give_back();
        window.throttled(millis(now, 101), millis(now, 102));
        assert_eq!(window.spacing, Window::FIRST_SPACING * 2);
        for _ in 0..100 {
            window.answered(millis(now, 200));
        }
        assert_eq!(window.spacing, Duration::ZERO);
    }

    #[tokio::test]
    async fn waiting_calls_are_served_in_order_and_a_repeated_one_first() {
        let limiter = Limiter::new(1);
        let first = limiter.acquire(None).await;
        let place = first.place();
        let (order, mut served) = tokio::sync::mpsc::unbounded_channel();
        for name in ["second", "third"] {
            let (limiter, order) = (limiter.clone(), order.clone());
            tokio::spawn(async move {
                let permit = limiter.acquire(None).await;
                order.send(name).unwrap();
                drop(permit);
            });
            tokio::task::yield_now().await;
        }
        let again = {
            let (limiter, order) = (limiter.clone(), order.clone());
            tokio::spawn(async move {
                let permit = limiter.acquire(Some(place)).await;
                order.send("again").unwrap();
                drop(permit);
            })
        };
        tokio::task::yield_now().await;
        drop(first);
        again.await.unwrap();
        drop(order);
        let mut names = Vec::new();
        while let Some(name) = served.recv().await {
            names.push(name);
        }
        assert_eq!(names, ["again", "second", "third"]);
    }

    #[tokio::test]
    async fn a_call_that_gives_up_waiting_leaves_no_trace() {
        let limiter = Limiter::new(1);
        let held = limiter.acquire(None).await;
        let waiter = tokio::spawn({
            let limiter = limiter.clone();
            async move { limiter.acquire(None).await }
        });
        tokio::task::yield_now().await;
        waiter.abort();
        assert!(waiter.await.unwrap_err().is_cancelled());
        assert!(limiter.lock().waiting.is_empty());
        drop(held);
        let _free = limiter.acquire(None).await;
        assert_eq!(limiter.lock().window.under_way, 1);
    }

    #[tokio::test]
    async fn a_permit_that_nobody_takes_goes_to_the_next() {
        let limiter = Limiter::new(1);
        let held = limiter.acquire(None).await;
        let (gone, receiver) = oneshot::channel();
        drop(receiver);
        limiter.lock().waiting.insert(0, gone);
        let next = tokio::spawn({
            let limiter = limiter.clone();
            async move { limiter.acquire(None).await }
        });
        tokio::task::yield_now().await;
        drop(held);
        let permit = next.await.unwrap();
        drop(permit);
        assert_eq!(limiter.lock().window.under_way, 0);
    }
}
