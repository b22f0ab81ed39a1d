//! What earlier runs left open is looked at once more at the end of an apply: a call of theirs may have landed since.

use super::events::Event;
use super::machine::{Apply, Call, Stage};
use super::model::Poll;
use super::recover::{self, Circumstances};

impl Apply<'_> {
    pub(super) fn review(&mut self) -> Option<Poll> {
        if self.summary.stopped.is_some() || self.inherited.is_empty() && self.calls.is_empty() {
            if !self.calls.is_empty() {
                return Some(self.write_or_wait(false));
            }
            self.fold_inherited();
            self.stage = Stage::Closing;
            return None;
        }
        if self.calls.len() < self.options.parallelism.max(1)
            && let Some((token, request)) = self.inherited.pop_first()
        {
            // Asked with the state of now: what this run made is not what an earlier one left behind.
            let state = &self.record.state;
            let entry = state.pending.iter().find(|pending| pending.token == token);
            let request = entry.map_or(request, |pending| recover::question(state, pending));
            return Some(self.start(Call::Inherited(token), request));
        }
        Some(self.write_or_wait(false))
    }

    /// What earlier runs left behind is folded in once more: a call of theirs may have landed since.
    pub(super) fn fold_inherited(&mut self) {
        let answers = std::mem::take(&mut self.answers);
        // A run that was stopped before it could ask leaves all of it to the next one.
        if !std::mem::take(&mut self.inherits) || answers.is_empty() && self.summary.stopped.is_some() {
            return;
        }
        let run = self.run.id.clone();
        let (own, others): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.record.state.pending).into_iter().partition(|pending| pending.run == run);
        self.record.state.pending = others;
        let circumstances = Circumstances { registry: self.options.registry, wall: self.wall, taken_over: false };
        let (mut folded, recovered) = recover::fold(&self.record.state, &answers, circumstances);
        folded.pending.extend(own);
        self.record.state = folded;
        self.changed();
        for recovered in recovered {
            self.events.push(Event::Recovered { address: recovered.address, what: recovered.what });
        }
    }
}
