//! The promise of one writer, checked in every order of events: runs whose clocks differ and that may stop at any point,
//! and a store whose answers are late, lost or come after their effect.
//!
//! A run that does nothing for a while is one that sleeps, was stopped, or died: it may do so at any point, because no
//! step is ever forced.

mod protocol;
mod world;

use s3stack_engine::lease::{ATTEMPT_LIMIT, TAKEOVER_AGE};
use stateright::{Checker, HasDiscoveries, Model, Property};

use protocol::Flaw;
use world::{Document, End, FLIGHT, Request, RunId, Stage, Step, World};

/// What may happen next.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Event {
    /// Time passes; for the run that is named, unnoticed.
    Tick { seconds: u16, unnoticed_by: Option<RunId> },
    /// A request arrives, late, and its answer too, or it never does.
    Arrive { request: Request, answered: bool },
    /// A run waits no longer for an answer.
    GiveUp(RunId, Document),
    /// A run reads the document to learn what became of its write.
    Ask(RunId, Document),
    /// That reading fails.
    AskInVain(RunId, Document),
    /// The same is sent again.
    Repeat(RunId, Document, Delivery),
    /// A renewal is sent.
    Renew(RunId, Delivery),
    /// A run takes its next step.
    Step(RunId, Delivery),
}

/// What becomes of a request that is sent in an event, if one is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Delivery {
    /// It arrives and is answered before anything else happens.
    AtOnce,
    /// Anything may come before its effect, between its effect and its answer, and instead of either.
    Late,
}

/// How much of the world is looked at.
#[derive(Clone, Copy)]
struct Lab {
    flaw: Flaw,
    runs: usize,
    /// Whether runs write states.
    with_states: bool,
    /// How many requests and questions are not answered at once.
    faults: u8,
    /// How often time passes, and how many seconds each time.
    ticks: u8,
    seconds: &'static [u16],
}

/// Leases alone: two runs, a request that goes astray, and time enough to renew, to fall asleep and to be taken over.
const LEASES: Lab = Lab { flaw: Flaw::None, runs: 2, with_states: false, faults: 1, ticks: 3, seconds: &[20, 110] };
/// Whole applies, and one long sleep.
const APPLIES: Lab = Lab { with_states: true, ticks: 1, seconds: &[130], ..LEASES };
/// Whole applies that are troubled twice.
const TROUBLED_APPLIES: Lab = Lab { faults: 2, ticks: 0, ..APPLIES };
/// Three runs at one lease.
const THREE_RUNS: Lab = Lab { runs: 3, faults: 0, ticks: 1, seconds: &[130], ..LEASES };

const ONE_HISTORY: &str = "every state is made of the one before it";
const ONE_CALLER: &str = "no two runs may start calls";
const NO_CALL_INTO_A_TAKEOVER: &str = "whoever may start a call holds the lease until the call has ended";
const NO_WRITE_AFTER_LOSS: &str = "a run that lost writes nothing more";
const NOT_LOST_TO_ITSELF: &str = "a run is told that it lost only if another won";
const HEALS: &str = "a dead run's lease is taken over and the next apply ends";
const HANDS_OVER: &str = "all runs apply, one after the other, and the lease is given back";

impl Model for Lab {
    type State = World;
    type Action = Event;

    fn init_states(&self) -> Vec<World> {
        vec![World::new(self.runs, self.faults, self.ticks, self.with_states)]
    }

    fn actions(&self, world: &World, events: &mut Vec<Event>) {
        if world.ticks > 0 {
            for &seconds in self.seconds {
                events.push(Event::Tick { seconds, unnoticed_by: None });
                if self.flaw == Flaw::ClockStopsInSleep {
                    events.extend(world.ids().map(|run| Event::Tick { seconds, unnoticed_by: Some(run) }));
                }
            }
        }
        for request in &world.network {
            events.push(Event::Arrive { request: *request, answered: false });
            if request.awaited {
                events.push(Event::Arrive { request: *request, answered: true });
            }
        }
        let deliveries = [Delivery::AtOnce, Delivery::Late].into_iter().take(1 + usize::from(world.faults > 0));
        for run in world.ids() {
            let me = world.run(run);
            for (document, writing) in [(Document::Lease, me.leasing), (Document::State, me.writing)] {
                match writing.map(|writing| writing.step) {
                    Some(Step::Sent) => events.push(Event::GiveUp(run, document)),
                    Some(Step::Asking) => {
                        events.push(Event::Ask(run, document));
                        if world.faults > 0 {
                            events.push(Event::AskInVain(run, document));
                        }
                    }
                    Some(Step::Again) => {
                        events.extend(deliveries.clone().map(|delivery| Event::Repeat(run, document, delivery)));
                    }
                    Some(Step::Unsettled) | None => {}
                }
            }
            if world.renewal_is_due(run) {
                events.extend(deliveries.clone().map(|delivery| Event::Renew(run, delivery)));
            }
            if world.can_step(self.flaw, run) {
                events.extend(deliveries.clone().map(|delivery| Event::Step(run, delivery)));
            }
        }
    }

    fn next_state(&self, before: &World, event: Event) -> Option<World> {
        let mut world = before.clone();
        let flaw = self.flaw;
        let delivery = match event {
            Event::Tick { seconds, unnoticed_by } => {
                world.now += seconds;
                world.ticks -= 1;
                let now = world.now;
                world.network.retain(|request| request.awaited || now - request.sent <= FLIGHT);
                if let Some(run) = unnoticed_by {
                    world.run_mut(run).missed += seconds;
                }
                return Some(world);
            }
            Event::Arrive { request, answered } => {
                let held = world.arrive(&request);
                if answered {
                    world.answered(flaw, &request, held);
                } else if request.awaited {
                    // It waits in vain.
                    world.give_up(flaw, request.run, request.document);
                }
                return Some(world);
            }
            Event::GiveUp(run, document) => {
                world.give_up(flaw, run, document);
                return Some(world);
            }
            Event::Ask(run, document) => {
                world.ask(flaw, run, document);
                return Some(world);
            }
            Event::AskInVain(run, document) => {
                world.faults -= 1;
                world.failed(run, document);
                return Some(world);
            }
            Event::Repeat(run, document, delivery) => {
                world.attempt(run, document);
                delivery
            }
            Event::Renew(run, delivery) => {
                world.renew(flaw, run);
                delivery
            }
            Event::Step(run, delivery) => {
                world.step(flaw, run);
                delivery
            }
        };
        let sent = world.network.iter().find(|request| !before.network.contains(request)).copied();
        match (delivery, sent) {
            (Delivery::AtOnce, Some(request)) => {
                let held = world.arrive(&request);
                world.answered(flaw, &request, held);
            }
            (Delivery::AtOnce, None) => {}
            (Delivery::Late, Some(_)) => world.faults -= 1,
            // Nothing was sent that could be late.
            (Delivery::Late, None) => return None,
        }
        Some(world)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always(ONE_HISTORY, |_: &Self, world: &World| !world.harm.forked),
            Property::always(ONE_CALLER, |lab: &Self, world: &World| {
                world.ids().filter(|run| lab.flaw.may_start_call(world, *run)).count() <= 1
            }),
            Property::always(NO_CALL_INTO_A_TAKEOVER, |lab: &Self, world: &World| {
                let mut callers = world.ids().filter(|run| lab.flaw.may_start_call(world, *run));
                callers.all(|run| {
                    let mine = world.store.lease.is_some_and(|(write, _)| write.run == Some(run));
                    mine && world.lease_age().is_some_and(|age| age + ATTEMPT_LIMIT <= TAKEOVER_AGE)
                })
            }),
            Property::always(NO_WRITE_AFTER_LOSS, |_: &Self, world: &World| !world.harm.wrote_after_loss),
            Property::always(NOT_LOST_TO_ITSELF, |_: &Self, world: &World| !world.harm.lost_to_itself),
            Property::sometimes(HEALS, |_: &Self, world: &World| {
                let healed = |run: &world::Run| run.took_over && run.stage == Stage::Ended(End::Applied);
                world.runs.iter().any(healed) && world.store.lease.is_none()
            }),
            Property::sometimes(HANDS_OVER, |_: &Self, world: &World| {
                world.runs.iter().all(|run| !run.took_over && run.stage == Stage::Ended(End::Applied))
                    && world.store.lease.is_none()
            }),
        ]
    }
}

/// Everything holds, and what shall be possible is.
fn holds(lab: Lab, possible: &[&'static str]) {
    let checker = lab.checker().threads(2).spawn_bfs().join();
    let found = checker.discoveries();
    let report = || found.iter().map(|(name, path)| format!("{name}:\n{path}")).collect::<Vec<_>>().join("\n");
    let mut names: Vec<&str> = found.keys().copied().collect();
    let mut expected = possible.to_vec();
    names.sort_unstable();
    expected.sort_unstable();
    assert_eq!(names, expected, "{}", report());
}

/// With this flaw, the checker finds how `property` comes to be broken.
fn fails(lab: Lab, flaw: Flaw, property: &'static str) {
    let wanted = HasDiscoveries::AnyOf([property].into());
    let lab = Lab { flaw, ..lab };
    let checker = lab.checker().threads(2).finish_when(wanted).spawn_bfs().join();
    assert!(checker.discovery(property).is_some(), "{flaw:?} does no harm?");
}

#[test]
fn whoever_may_start_calls_holds_the_lease_until_they_have_ended() {
    holds(LEASES, &[HEALS, HANDS_OVER]);
}

#[test]
fn states_have_one_history_whatever_is_late_lost_or_asleep() {
    holds(APPLIES, &[HEALS, HANDS_OVER]);
}

#[test]
fn states_have_one_history_whatever_is_late_or_lost_twice() {
    // Nobody can be taken over while no time passes.
    holds(TROUBLED_APPLIES, &[HANDS_OVER]);
}

#[test]
fn three_runs_are_no_worse_than_two() {
    holds(THREE_RUNS, &[HEALS, HANDS_OVER]);
}

#[test]
fn an_unconditional_write_of_the_state_forks_it() {
    fails(APPLIES, Flaw::UnconditionalState, ONE_HISTORY);
}

#[test]
fn an_unconditional_write_of_the_lease_makes_two_callers() {
    fails(LEASES, Flaw::UnconditionalLease, ONE_CALLER);
}

#[test]
fn an_unconditional_release_takes_away_anothers_lease() {
    fails(LEASES, Flaw::UnconditionalRelease, NO_CALL_INTO_A_TAKEOVER);
}

#[test]
fn an_age_by_the_clock_of_a_client_takes_over_the_living() {
    fails(LEASES, Flaw::AgeByClientClock, ONE_CALLER);
}

#[test]
fn a_window_of_130_seconds_reaches_into_a_takeover() {
    fails(LEASES, Flaw::WindowOf130Seconds, NO_CALL_INTO_A_TAKEOVER);
    fails(LEASES, Flaw::WindowOf130Seconds, ONE_CALLER);
}

#[test]
fn a_clock_that_stops_in_sleep_makes_two_callers() {
    fails(LEASES, Flaw::ClockStopsInSleep, ONE_CALLER);
}

#[test]
fn a_window_that_counts_from_the_answer_reaches_into_a_takeover() {
    fails(LEASES, Flaw::CountsFromTheAnswer, NO_CALL_INTO_A_TAKEOVER);
}

#[test]
fn a_claim_that_counts_from_its_last_send_reaches_into_a_takeover() {
    fails(LEASES, Flaw::ClaimCountsFromTheLastSend, NO_CALL_INTO_A_TAKEOVER);
}

#[test]
fn silence_taken_for_success_makes_two_callers() {
    fails(LEASES, Flaw::SilenceIsSuccess, ONE_CALLER);
}

#[test]
fn a_state_sent_anew_is_lost_to_itself() {
    fails(TROUBLED_APPLIES, Flaw::StateSentAnew, NOT_LOST_TO_ITSELF);
}

#[test]
fn a_run_that_ignores_its_loss_writes_on() {
    fails(APPLIES, Flaw::WritesAfterLoss, NO_WRITE_AFTER_LOSS);
}
