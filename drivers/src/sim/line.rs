//! The half-duplex line of a virtual bus: what is under way to the host, when it arrives, and
//! what befalls it.

use std::collections::VecDeque;

use fastrand::Rng;

use super::record::{Observer, Packet};
use super::{Demand, FaultCounts, FaultPlan};
use crate::Nanos;
use crate::wire::line_time;

/// Bytes that may be under way; a host that never reads loses the rest, as with hardware.
const ROOM: usize = 64 * 1024;

/// Bytes on their way to the host.
pub(super) struct Line {
    under_way: VecDeque<(Nanos, u8)>,
    /// Until when the line is taken.
    pub(super) free_at: Nanos,
    pub(super) plan: FaultPlan,
    pub(super) demands: Vec<Demand>,
    pub(super) counts: FaultCounts,
    pub(super) observer: Option<Observer>,
    pub(super) random: Rng,
}

impl Line {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            under_way: VecDeque::with_capacity(1024),
            free_at: 0,
            plan: FaultPlan::default(),
            demands: Vec::new(),
            counts: FaultCounts::default(),
            observer: None,
            random: Rng::with_seed(seed),
        }
    }

    /// Whether something of this chance happens now. A chance of zero costs no random number, so
    /// that a plan's faults do not depend on which others it leaves out.
    pub(super) fn happens(&mut self, chance: f64) -> bool {
        chance > 0.0 && self.random.f64() < chance
    }

    pub(super) fn note(&mut self, at: Nanos, from_host: bool, bytes: &[u8]) {
        if let Some(observer) = &mut self.observer {
            observer(&Packet { at, from_host, bytes });
        }
    }

    /// What befalls an answer of servo `id`: what was demanded for it, or else what the plan says.
    fn plan_for(&mut self, id: u8) -> FaultPlan {
        let meant = |demand: &&mut Demand| demand.id.is_none_or(|of| of == id);
        let Some(demand) = self.demands.iter_mut().find(meant) else { return self.plan };
        demand.times = demand.times.saturating_sub(1);
        let plan = self.plan.certain(demand.kind);
        self.demands.retain(|demand| demand.times > 0);
        plan
    }

    /// Servo `id` begins to send `bytes` at `start`. Returns when the line is free again.
    pub(super) fn answer(&mut self, id: u8, start: Nanos, baud: u32, bytes: &mut [u8]) -> Nanos {
        let end = start + line_time(bytes.len(), baud);
        let plan = self.plan_for(id);
        if self.happens(plan.lost) {
            self.counts.lost += 1;
            return end;
        }
        if self.happens(plan.noise) {
            self.counts.noise += 1;
            for _ in 0..self.random.usize(1..5) {
                let byte = self.random.u8(..);
                self.arrive(end, &[byte]);
            }
        }
        if self.happens(plan.corrupted) {
            self.counts.corrupted += 1;
            let (at, bit) = (self.random.usize(..bytes.len().max(1)), self.random.u8(..8));
            if let Some(byte) = bytes.get_mut(at) {
                *byte ^= 1 << bit;
            }
        }
        let mut len = bytes.len();
        if self.happens(plan.truncated) {
            self.counts.truncated += 1;
            len = self.random.usize(..len.max(1));
        }
        let sent = bytes.get(..len).unwrap_or_default();
        let mut at = end;
        if self.happens(plan.late) {
            self.counts.late += 1;
            at += plan.lateness();
        }
        self.note(at, false, sent);
        self.arrive(at, sent);
        if self.happens(plan.duplicated) {
            self.counts.duplicated += 1;
            let again = at + line_time(len, baud);
            self.note(again, false, sent);
            self.arrive(again, sent);
            return again.max(end);
        }
        end
    }

    /// Bytes that come in at `at`, all together as an adapter passes them on.
    pub(super) fn arrive(&mut self, at: Nanos, bytes: &[u8]) {
        let later = self.under_way.iter().rev().take_while(|(then, _)| *then > at).count();
        let place = self.under_way.len() - later;
        for (offset, byte) in bytes.iter().enumerate() {
            if self.under_way.len() < ROOM {
                self.under_way.insert(place + offset, (at, *byte));
            }
        }
    }

    /// When the next byte comes in.
    pub(super) fn next_arrival(&self) -> Option<Nanos> {
        self.under_way.front().map(|(at, _)| *at)
    }

    /// Takes what has come in by `now`.
    pub(super) fn take(&mut self, now: Nanos, into: &mut [u8]) -> usize {
        take_due(&mut self.under_way, now, into)
    }

    /// What has come in by `now` is thrown away; what is still under way will come.
    pub(super) fn discard(&mut self, now: Nanos) {
        while self.next_arrival().is_some_and(|at| at <= now) {
            self.under_way.pop_front();
        }
    }

    /// Nothing is under way any more.
    pub(super) fn clear(&mut self) {
        self.under_way.clear();
    }
}

/// Moves bytes that have arrived by `now` out of those that are under way, as many as there is room for.
pub(super) fn take_due(
    under_way: &mut VecDeque<(Nanos, u8)>,
    now: Nanos,
    into: &mut [u8],
) -> usize {
    let mut taken = 0;
    while let Some(place) = into.get_mut(taken)
        && let Some((at, byte)) = under_way.front()
        && *at <= now
    {
        *place = *byte;
        taken += 1;
        under_way.pop_front();
    }
    taken
}
