use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

fn document() -> LeaseDocument {
    LeaseDocument {
        format: LEASE_FORMAT,
        run: "run-1".into(),
        owner: "ada@engine pid 7".into(),
        command: "s3stack apply".into(),
        acquired_at: "2026-11-23T06:00:00Z".into(),
        write_id: "w-1".into(),
    }
}

#[test]
fn a_document_survives_its_bytes() {
    let document = document();
    assert_eq!(LeaseDocument::parse(&document.to_bytes()), Ok(document.clone()));
    let renewed = document.renewed("w-2");
    assert_eq!(renewed, LeaseDocument { write_id: "w-2".into(), ..document });
}

#[test]
fn a_newer_format_is_told_from_damage() {
    assert_eq!(LeaseDocument::parse(br#"{"format": 2, "holder": 1}"#), Err(LeaseFormatError::Newer { found: 2 }));
    for damaged in [&b""[..], b"{}", b"[]", br#"{"format": 1}"#, br#"{"format": "1"}"#, &vec![b' '; 70_000]] {
        assert!(matches!(LeaseDocument::parse(damaged), Err(LeaseFormatError::Damaged { .. })));
    }
}

#[test]
fn calls_start_within_forty_seconds_of_the_send_of_a_confirmed_renewal() {
    let mut lease = Lease::acquired(seconds(100));
    assert!(lease.may_start_call(seconds(140)));
    assert!(!lease.may_start_call(seconds(141)));

    // Sent at 115, answered at 130: the window counts from 115.
    assert_eq!(lease.next_renewal(), Some(seconds(115)));
    lease.sending(seconds(115));
    assert!(!lease.may_start_call(seconds(141)), "an unanswered renewal gives nothing");
    lease.confirmed();
    assert!(lease.may_start_call(seconds(155)));
    assert!(!lease.may_start_call(seconds(156)));
    assert_eq!(lease.next_renewal(), Some(seconds(130)));
}

#[test]
fn a_retried_renewal_counts_from_its_first_send() {
    let mut lease = Lease::acquired(seconds(0));
    lease.sending(seconds(15));
    lease.failed(seconds(25));
    assert_eq!(lease.next_renewal(), Some(seconds(27)));
    lease.sending(seconds(27));
    lease.confirmed();
    assert!(lease.may_start_call(seconds(55)));
    assert!(!lease.may_start_call(seconds(56)));
    assert_eq!(lease.next_renewal(), Some(seconds(30)));
}

#[test]
fn a_lost_lease_stays_lost() {
    let mut lease = Lease::acquired(seconds(0));
    lease.sending(seconds(15));
    lease.lose(Loss::Taken);
    lease.confirmed();
    lease.lose(Loss::Released);
    assert_eq!(lease.loss(), Some(Loss::Taken));
    assert!(!lease.may_start_call(seconds(15)));
    assert!(!lease.may_write_state());
    assert_eq!(lease.next_renewal(), None);
}

#[test]
fn sleep_stops_calls_but_does_not_lose_the_lease() {
    let mut lease = Lease::acquired(seconds(0));
    lease.sending(seconds(15));
    // The machine slept for an hour with the renewal on its way.
    lease.failed(seconds(3600));
    assert!(!lease.may_start_call(seconds(3600)));
    assert_eq!(lease.loss(), None);
    lease.sending(seconds(3602));
    lease.failed(seconds(3612));
    lease.sending(seconds(3614));
    lease.confirmed();
    // That renewal may have reached the store an hour ago: the next one is due at once, and only it opens the window.
    assert!(!lease.may_start_call(seconds(3615)));
    assert_eq!(lease.next_renewal(), Some(seconds(30)));
    lease.sending(seconds(3615));
    lease.confirmed();
    assert!(lease.may_start_call(seconds(3616)));
}

#[test]
fn failing_for_two_minutes_is_the_end() {
    let mut lease = Lease::acquired(seconds(0));
    lease.sending(seconds(15));
    lease.failed(seconds(20));
    lease.failed(seconds(140));
    assert_eq!(lease.loss(), None);
    lease.failed(seconds(141));
    assert_eq!(lease.loss(), Some(Loss::Unreachable));
}

#[test]
fn a_clock_that_steps_back_harms_nothing() {
    let mut lease = Lease::acquired(seconds(100));
    lease.sending(seconds(90));
    lease.confirmed();
    assert!(lease.may_start_call(seconds(50)));
    assert!(!lease.may_start_call(seconds(141)), "the later of the two sends counts, never their sum");
}

#[test]
fn the_window_and_an_attempt_end_before_a_takeover() {
    assert!(CALL_WINDOW + ATTEMPT_LIMIT < TAKEOVER_AGE);
    assert!(RENEW_EVERY * 2 < CALL_WINDOW, "one lost renewal must not stop the run");
    assert!(!may_take_over(TAKEOVER_AGE));
    assert!(may_take_over(TAKEOVER_AGE + Duration::from_millis(1)));
}

// ---- Two owners and one store, with every message delayed, lost or answered late, and pauses at any point. ----

/// One message's fate, in milliseconds.
#[derive(Debug, Clone)]
struct Fate {
    /// How long the owner pauses (is stopped, sleeps) before it acts.
    pause: u64,
    /// How long the request is on its way.
    there: u64,
    /// How long the answer is on its way.
    back: u64,
    /// The request never arrives.
    request_lost: bool,
    /// The answer never arrives.
    answer_lost: bool,
}

fn fate() -> impl Strategy<Value = Fate> {
    let delay = prop_oneof![8 => 0..200u64, 3 => 0..20_000u64, 1 => 0..300_000u64];
    let pause = prop_oneof![6 => Just(0u64), 3 => 0..30_000u64, 2 => 0..400_000u64];
    (pause, delay.clone(), delay, prop::bool::weighted(0.15), prop::bool::weighted(0.15)).prop_map(
        |(pause, there, back, request_lost, answer_lost)| Fate { pause, there, back, request_lost, answer_lost },
    )
}

#[derive(Debug, Clone)]
enum Event {
    /// The owner wakes and sends what is due.
    Act(usize),
    /// A conditional write arrives at the store: of the owner, with this write id, over this version.
    Arrive { owner: usize, write: u64, over: u64, answered_after: Option<u64> },
    /// The answer arrives, or the owner's patience ends (`None`).
    Answer { owner: usize, write: u64, verdict: Option<bool> },
}

#[derive(Default)]
struct Owner {
    lease: Option<Lease>,
    /// The write under way: its id, the version it is conditional on, and when it was first sent.
    write: Option<(u64, u64, Duration)>,
    /// The version its lease has in the store.
    version: u64,
    /// Windows of time in which it was allowed to start calls.
    windows: Vec<(u64, u64)>,
    skew: u64,
}

impl Owner {
    fn clock(&self, now: u64) -> Duration {
        Duration::from_millis(now + self.skew)
    }
}

/// Plays the fates out; gives each owner's windows in which calls were allowed, and how often the lease was taken over.
fn play(fates: &[Fate], skews: [u64; 2], end: u64) -> ([Vec<(u64, u64)>; 2], usize) {
    // An owner that sleeps while the answer is on its way finds both the answer and the end of its patience: it may well
    // look at the answer first, so patience here outlasts any answer.
    const PATIENCE: u64 = 10_000;
    // The store: the version (a write id) of the lease, and when it was written. 0 = absent.
    let (mut stored, mut stored_at) = (0u64, 0u64);
    let mut owners = [Owner { skew: skews[0], ..Owner::default() }, Owner { skew: skews[1], ..Owner::default() }];
    let mut queue: BTreeMap<(u64, u64), Event> = BTreeMap::new();
    let (mut sequence, mut next_write, mut takeovers) = (0u64, 1u64, 0usize);
    let mut fates = fates.iter().cycle();
    let mut push = |queue: &mut BTreeMap<(u64, u64), Event>, at: u64, event: Event| {
        sequence += 1;
        queue.insert((at, sequence), event);
    };
    push(&mut queue, 0, Event::Act(0));
    push(&mut queue, 7, Event::Act(1));
    while let Some(((now, _), event)) = queue.pop_first() {
        if now > end {
            break;
        }
        match event {
            Event::Act(index) => {
                let fate = fates.next().expect("cycle");
                let owner = &mut owners[index];
                let clock = owner.clock(now);
                if owner.write.is_none() {
                    match &owner.lease {
                        None => {
                            let free = stored == 0 || may_take_over(Duration::from_millis(now - stored_at));
                            if !free {
                                push(&mut queue, now + 5_000 + fate.pause, Event::Act(index));
                                continue;
                            }
                            owner.write = Some((next_write, stored, clock));
                        }
                        Some(_) => owner.write = Some((next_write, owner.version, clock)),
                    }
                    next_write += 1;
                }
                let (write, over, _) = owner.write.expect("just set");
                if let Some(lease) = &mut owner.lease {
                    lease.sending(clock);
                }
                // The pause strikes between the decision and the send: the worst place for it.
                let arrives = now + fate.pause + fate.there;
                if !fate.request_lost {
                    let answered_after = (!fate.answer_lost).then_some(fate.back);
                    push(&mut queue, arrives, Event::Arrive { owner: index, write, over, answered_after });
                }
                push(
                    &mut queue,
                    now + fate.pause + fate.there.min(PATIENCE) + fate.back + PATIENCE,
                    Event::Answer { owner: index, write, verdict: None },
                );
            }
            Event::Arrive { owner, write, over, answered_after } => {
                if stored == over {
                    takeovers += usize::from(over != 0 && owners[owner].lease.is_none());
                    (stored, stored_at) = (write, now);
                }
                // Ours already (a resent write) is success; anything else in its place is a loss.
                if let Some(back) = answered_after {
                    push(&mut queue, now + back, Event::Answer { owner, write, verdict: Some(stored == write) });
                }
            }
            Event::Answer { owner: index, write, verdict } => {
                let owner = &mut owners[index];
                let Some((expected, _, sent)) = owner.write else { continue };
                if expected != write {
                    continue;
                }
                let clock = owner.clock(now);
                match verdict {
                    Some(true) => {
                        owner.write = None;
                        owner.version = write;
                        let lease = owner.lease.get_or_insert_with(|| Lease::acquired(sent));
                        lease.confirmed();
                        // Ask the rule itself where the window ends.
                        let until = (now..now + 50_000)
                            .step_by(500)
                            .find(|at| !lease.may_start_call(Duration::from_millis(at + owner.skew)));
                        if let Some(until) = until
                            && until > now
                        {
                            owner.windows.push((now, until));
                        }
                        let due = lease.next_renewal().expect("held").as_millis() as u64;
                        push(&mut queue, now.max(due.saturating_sub(owner.skew)), Event::Act(index));
                    }
                    Some(false) => {
                        if let Some((_, until)) = owner.windows.last_mut() {
                            *until = (*until).min(now);
                        }
                        // It competes for the lease again, as a new run would.
                        owner.write = None;
                        owner.lease = None;
                        push(&mut queue, now + 1_000, Event::Act(index));
                    }
                    None => {
                        if let Some(lease) = &mut owner.lease {
                            lease.failed(clock);
                            if lease.loss().is_some() {
                                owner.write = None;
                                owner.lease = None;
                            }
                        }
                        push(&mut queue, now + 2_000, Event::Act(index));
                    }
                }
            }
        }
    }
    let [first, second] = owners;
    ([first.windows, second.windows], takeovers)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    /// Whatever is delayed, lost or asleep, there is no moment at which both may start a call, nor one at which one may
    /// start a call while an attempt that the other started in time can still be running.
    #[test]
    fn two_owners_never_both_start_calls(
        fates in prop::collection::vec(fate(), 1..60),
        skews in prop::array::uniform2(0..1_000_000_000u64),
    ) {
        let (windows, _) = play(&fates, skews, 3_000_000);
        let attempt = ATTEMPT_LIMIT.as_millis() as u64;
        for (from, until) in &windows[0] {
            for (other_from, other_until) in &windows[1] {
                prop_assert!(
                    until + attempt <= *other_from || other_until + attempt <= *from,
                    "owner 0 may start calls in {from}..{until}, owner 1 in {other_from}..{other_until}"
                );
            }
        }
    }
}

#[test]
fn the_game_does_take_over() {
    // Owner 0 takes the lease and then nothing of it arrives for long: the property above would be empty without this.
    let well = Fate { pause: 0, there: 10, back: 10, request_lost: false, answer_lost: false };
    let asleep = Fate { pause: 390_000, ..well.clone() };
    let (windows, takeovers) = play(&[well.clone(), well, asleep], [0, 0], 3_000_000);
    assert!(takeovers > 0);
    assert!(windows.iter().all(|windows| !windows.is_empty()), "{windows:?}");
}
