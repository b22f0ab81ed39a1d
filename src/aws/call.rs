//! The one way in which a call to AWS is made.

use std::future::Future;
use std::time::Duration;

use s3stack_engine::fault::{Fault, FaultKind};
use tokio::sync::watch;
use tokio::time::Instant;

use super::clients::Session;
use super::credentials::{Source, explain};
use super::fault::{Failed, Failure};
use super::limiter::{Limiter, Outcome, Permit};
use super::log::{CallEvent, WaitRecord};
use super::operation::{Effect, Operation};
use super::retry::{Attempts, Next};

/// One attempt takes this long at most, whatever it does: the lease counts on it.
pub const LONGEST_ATTEMPT: Duration = Duration::from_secs(30);

/// Whether the run may begin another call; the lease is one.
///
/// It is asked before every attempt, so it must be quick.
pub trait Gate: Send + Sync {
    /// Whether a call may begin now. `false` ends the call with [`FaultKind::Stopped`].
    fn may_start(&self) -> bool;
}

impl Session {
    /// Makes a call: waits for its turn, attempts it, classifies and repeats what may be repeated.
    ///
    /// `attempt` is called once per attempt. The order of what ends a call: a success; a refusal that is final for
    /// this operation; patience (see [`super::Policy`]); [`super::Clients::stop`] or the gate.
    ///
    /// # Errors
    /// [`FaultKind::Stopped`] if nothing was sent because the run may start no call. [`FaultKind::Uncertain`] if an
    /// attempt may have taken effect; every other kind of fault means that nothing did.
    pub async fn call<O, X, F, A>(&self, operation: Operation, mut attempt: F) -> Result<O, Fault>
    where
        F: FnMut() -> A,
        A: Future<Output = Result<O, X>>,
        X: Failure,
    {
        let mut call = Call::new(self, operation);
        loop {
            let permit = call.turn().await?;
            // The SDK's futures are several kilobytes; boxed, a hundred of them in flight do not grow the tasks.
            match call.watched(Box::pin(attempt())).await {
                Ok(Ok(output)) => {
                    permit.done(Outcome::Answered);
                    return Ok(output);
                }
                Ok(Err(error)) => call.failed(permit, error.failed(&operation)).await?,
                Err(silent) => call.failed(permit, silent).await?,
            }
        }
    }
}

/// A call on its way; not generic, so it is compiled once.
struct Call<'a> {
    session: &'a Session,
    limiter: Limiter,
    stop: watch::Receiver<bool>,
    attempts: Attempts,
    operation: Operation,
    place: Option<u64>,
}

impl<'a> Call<'a> {
    fn new(session: &'a Session, operation: Operation) -> Self {
        let clients = session.clients();
        Self {
            session,
            limiter: session.limiter(operation.service, operation.effect == Effect::Read),
            stop: clients.stop_signal(),
            attempts: Attempts::new(operation, clients.policy(), Instant::now()),
            operation,
            place: None,
        }
    }

    /// Waits until an attempt may begin.
    async fn turn(&mut self) -> Result<Permit, Fault> {
        self.check()?;
        let permit = tokio::select! {
            biased;
            () = stopped(&mut self.stop) => return Err(self.refused("the run was cancelled")),
            permit = self.limiter.acquire(self.place) => permit,
        };
        self.place = Some(permit.place());
        // Waiting may have taken longer than the lease lasts.
        self.check()?;
        Ok(permit)
    }

    fn check(&self) -> Result<(), Fault> {
        if *self.stop.borrow() {
            return Err(self.refused("the run was cancelled"));
        }
        if !self.session.clients().may_start() {
            return Err(self.refused("the run may start no further call: its lease is not certain"));
        }
        Ok(())
    }

    fn refused(&self, why: &str) -> Fault {
        let fault = self.own_fault(FaultKind::Stopped, format!("not called: {why}"));
        self.attempts.ended(fault, Instant::now())
    }

    fn own_fault(&self, kind: FaultKind, message: String) -> Fault {
        Fault {
            kind,
            service: self.operation.service.into(),
            operation: self.operation.name.into(),
            code: None,
            message,
            request_id: None,
        }
    }

    /// Runs an attempt that has begun, but not beyond its time, nor beyond a stop.
    async fn watched<T>(&mut self, attempt: impl Future<Output = T>) -> Result<T, Failed> {
        let message = tokio::select! {
            biased;
            output = attempt => return Ok(output),
            () = stopped(&mut self.stop) => "cancelled while the call was under way".to_owned(),
            () = tokio::time::sleep(LONGEST_ATTEMPT) => format!("no answer within {} s", LONGEST_ATTEMPT.as_secs()),
        };
        let fault = self.own_fault(FaultKind::Uncertain, message);
        Err(Failed { fault, again: false, credentials: None })
    }

    /// Ends the call with a fault, or returns when it is time for another attempt.
    async fn failed(&mut self, permit: Permit, failed: Failed) -> Result<(), Fault> {
        permit.done(match failed.fault.kind {
            FaultKind::Throttled => Outcome::Throttled,
            FaultKind::Uncertain => Outcome::Silent,
            _ if failed.again => Outcome::Silent,
            _ => Outcome::Answered,
        });
        let code = failed.fault.code.clone();
        let trouble = failed.credentials;
        match self.attempts.after(failed, Instant::now(), jitter()) {
            Next::Failed(fault) => match trouble {
                Some(trouble) if !self.session.clients().is_local() => {
                    let source = Source::find(self.session.clients().profile()).await;
                    Err(explain(trouble, &source, fault))
                }
                _ => Err(fault),
            },
            Next::Again { after, awaits } => {
                self.session.clients().log().tell(|| {
                    CallEvent::Waits(WaitRecord {
                        service: self.operation.service,
                        operation: self.operation.name,
                        attempts: self.attempts.made(),
                        code,
                        awaits,
                        pause: after,
                    })
                });
                tokio::select! {
                    biased;
                    () = stopped(&mut self.stop) => Err(self.refused("the run was cancelled")),
                    () = tokio::time::sleep(after) => Ok(()),
                }
            }
        }
    }
}

/// Returns when the run is stopped; never, if that can no longer happen.
async fn stopped(stop: &mut watch::Receiver<bool>) {
    if stop.wait_for(|stopped| *stopped).await.is_err() {
        std::future::pending::<()>().await;
    }
}

/// A number in 0..1 that differs from call to call, so that calls refused together do not come back together.
fn jitter() -> f64 {
    let (bits, _) = uuid::Uuid::new_v4().as_u64_pair();
    f64::from((bits >> 32) as u32) / f64::from(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aws::limiter::widest;
    use crate::aws::{Clients, Policy, Settings};

    /// Nothing listens there; the closures of these tests never ask.
    async fn session() -> Session {
        let policy = Policy { throttle_first: Duration::from_millis(1), ..Policy::default() };
        let clients = Clients::load(Settings {
            local_account: Some("123456789012".into()),
            endpoint: Some("http://127.0.0.1:1".into()),
            policy,
            ..Settings::default()
        });
        clients.await.unwrap().home().unwrap()
    }

    fn fault(kind: FaultKind) -> Fault {
        Fault::local(kind, "Op", "")
    }

    #[tokio::test]
    async fn a_throttle_narrows_the_limiter_of_its_service_and_class_alone() {
        let session = session().await;
        let mut answers = vec![Ok(7), Err(fault(FaultKind::Throttled))];
        let answer = session.call(Operation::once("s3", "Op"), || std::future::ready(answers.pop().unwrap())).await;
        assert_eq!(answer, Ok(7));
        assert_eq!(session.limiter("s3", false).width(), widest(false) / 2);
        assert_eq!(session.limiter("s3", true).width(), widest(true));
        assert_eq!(session.limiter("iam", false).width(), widest(false));
    }

    #[tokio::test]
    async fn a_final_refusal_is_not_asked_again() {
        let session = session().await;
        let mut asked = 0;
        let answer: Result<(), Fault> = session
            .call(Operation::read("s3", "Op"), || {
                asked += 1;
                std::future::ready(Err(fault(FaultKind::Denied)))
            })
            .await;
        assert_eq!(answer.unwrap_err().kind, FaultKind::Denied);
        assert_eq!(asked, 1);
    }
}
