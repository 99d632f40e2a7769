//! The bus, cycle by cycle: goals out, one question to all servos, their answers in; and between two
//! cycles what the host wants to say to them itself.

use super::outbox::Outbox;
use super::series::{Block, Series};
use super::{Axis, Board, Micros};
use crate::bridge::Drive;
use crate::bridge::{MOST_JOINTS, MOST_THROUGH, Mode, Plan, Reply, Stop, Torque};
use crate::packet::{BROADCAST, Protocol, Request};
use crate::register::Register;

/// What the board does with the line.
#[derive(Clone, Copy, Debug)]
pub(super) enum Phase {
    /// Nothing is under way.
    Idle,
    /// The servos answer the cycle's question.
    Asked(Question),
    /// The host talks to the servos, until the next cycle.
    Through,
}

/// A question under way.
#[derive(Clone, Copy, Debug)]
pub(super) struct Question {
    /// When nothing more is waited for.
    until: Micros,
    /// However much comes, it ends then.
    end: Micros,
    /// How long the next servo may take.
    gap: Micros,
    block: Block,
    /// Bytes of an answer before its block.
    tag: usize,
}

/// How long a servo may take to answer, beyond the time on the line.
const THINKING_US: Micros = 700;
/// What of that the board reckons with when it says how fast it can go.
const USUAL_US: Micros = 120;
/// What is kept free at the end of a cycle.
const SPARE_US: Micros = 200;
/// What the host's bytes need beside their own time on the line: an answer.
const ANSWER_US: Micros = 1_500;
/// How long after a miss the answer may still come.
const LATE_US: Micros = 250_000;
/// How many lengths tell an answer from an earlier one.
const TAGS: u8 = 7;
/// The host's bytes wait for so many cycles at most; then a cycle asks nobody to make room.
const PATIENCE: u8 = 2;
/// After so many they are thrown away.
const GIVEN_UP: u8 = 5;

impl Board {
    /// How long `bytes` take on the line: ten bits each.
    pub(super) fn line_us(&self, bytes: usize) -> Micros {
        (bytes as Micros).saturating_mul(10_000_000).wrapping_div(Micros::from(self.baud.max(1)))
    }

    /// How long an answer with `width` bytes takes on the line, with room for stuffing.
    fn answer_us(&self, series: &Series, width: u16) -> Micros {
        let plain = series.protocol.reply_len(usize::from(width));
        let stuffing = if series.protocol == Protocol::Dynamixel2 { 2 } else { 0 };
        self.line_us(plain.wrapping_add(stuffing))
    }

    /// How many bytes tell so many servos their goals, at most.
    fn goals_len(&self, joints: u8) -> usize {
        usize::from(joints).wrapping_mul(5).wrapping_add(14)
    }

    /// The shortest period in which `plan` can be carried out.
    pub(super) fn least_period(&self, series: &Series, plan: &Plan) -> Micros {
        let joints = usize::from(plan.joints);
        let goals = self.goals_len(plan.joints);
        let question = joints.wrapping_add(14);
        let each = self.answer_us(series, series.all.width).wrapping_add(USUAL_US);
        let turn = series.turn.map_or(0, |block| {
            self.line_us(14)
                .wrapping_add(self.answer_us(series, block.width))
                .wrapping_add(USUAL_US)
        });
        let answers = each.wrapping_mul(joints as Micros);
        let out = self.line_us(goals.wrapping_add(question));
        out.wrapping_add(answers)
            .wrapping_add(turn)
            .wrapping_add(SPARE_US)
            .wrapping_add(THINKING_US)
    }

    /// Lets time pass: ends what is over, and begins what is due.
    pub(super) fn run(&mut self, now: Micros) {
        self.watch(now);
        match self.phase {
            Phase::Asked(question) if now >= question.until => self.answered(now),
            Phase::Through if now >= self.next_cycle || !self.engaged() => self.phase = Phase::Idle,
            _ => {}
        }
        if !self.engaged() {
            self.pass_on(now);
            return;
        }
        if matches!(self.phase, Phase::Idle) && (now >= self.next_cycle || self.urgent) {
            self.begin(now);
        } else if !matches!(self.phase, Phase::Asked(_)) {
            self.pass_on_between(now);
        }
    }

    /// When something is due next.
    pub(super) fn wake(&self) -> Micros {
        if !self.engaged() {
            return Micros::MAX;
        }
        match self.phase {
            Phase::Asked(question) => question.until,
            Phase::Through => self.next_cycle.min(self.next_through()),
            Phase::Idle => self.next_cycle.min(self.deadline()).min(self.next_through()),
        }
    }

    fn begin(&mut self, now: Micros) {
        let period = Micros::from(self.plan.period_us);
        let late = now.saturating_sub(self.next_cycle);
        if late >= period {
            self.counts.late = self.counts.late.wrapping_add(1);
        }
        // A cycle that begins late ends late: the next must not begin among its answers.
        self.next_cycle = if self.urgent || late > SPARE_US { now } else { self.next_cycle };
        self.next_cycle = self.next_cycle.saturating_add(period);
        let since = now.saturating_sub(self.begun);
        let dt = if self.cycle == 0 { 0.0 } else { since as f64 / 1e6 };
        (self.begun, self.urgent) = (now, false);
        self.cycle = self.cycle.wrapping_add(1);
        self.aim(now, dt);
        for axis in self.axes_mut() {
            axis.seen.age = axis.seen.age.saturating_add(1);
        }
        let Some(series) = self.series else { return };
        self.tell(&series);
        self.waited = self.waited.saturating_add(u8::from(!self.queue.is_empty()));
        if self.waited > GIVEN_UP {
            // What finds no room is not worth looking away from the joints for.
            self.queue.clear();
            (self.waited, self.counts.lost) = (0, self.counts.lost.wrapping_add(1));
        }
        if self.waited > PATIENCE {
            self.sent(now, self.to_bus.len());
            return;
        }
        self.ask(now, &series);
    }

    /// Puts goals, or the end of all torque, on the line.
    fn tell(&mut self, series: &Series) {
        let limp = self.mode == Mode::Stopped && self.stop == Stop::Limp;
        let goes = |axis: &Axis, drive| axis.joint.drive == drive && axis.takes_goals();
        let order = |_: &Axis| Some(0);
        let goal = |axis: &Axis| Some(axis.seen.goal);
        let Self { axes, plan, to_bus, .. } = self;
        let axes = axes.get(..usize::from(plan.joints)).unwrap_or_default();
        let write = |to_bus: &mut Outbox<_>,
                     register,
                     whom: &dyn Fn(&Axis) -> bool,
                     value: &dyn Fn(&Axis) -> Option<i32>| {
            sync_write(to_bus, series, register, axes.iter().filter(|axis| whom(axis)), value);
        };
        write(to_bus, series.goal_speed, &|axis| goes(axis, Drive::Speed), &goal);
        if limp {
            write(to_bus, series.torque, &|axis| axis.seen.torque != Torque::Off, &order);
        } else {
            write(to_bus, series.goal, &|axis| goes(axis, Drive::Position), &goal);
        }
    }

    /// Asks all servos.
    fn ask(&mut self, now: Micros, series: &Series) {
        let mut ids = [0; MOST_JOINTS];
        for (place, axis) in ids.iter_mut().zip(self.axes()) {
            *place = axis.joint.id;
        }
        let ids = ids.get(..usize::from(self.plan.joints)).unwrap_or_default();
        let (block, tag) = self.tagged(now, series.all);
        let request = Request::SyncRead { address: block.address, width: block.width, ids };
        self.to_bus.add(|room| series.protocol.encode(BROADCAST, &request, room));
        self.axes_mut().iter_mut().for_each(|axis| axis.open = true);
        self.wait(now, series, series.all, block, tag);
    }

    /// Asks the servo whose turn it is for what the others are not asked. Whether there is one.
    fn ask_in_turn(&mut self, now: Micros, series: &Series) -> bool {
        let Some(all) = series.turn else { return false };
        let count = self.plan.joints.max(1);
        self.turn = self.turn.wrapping_add(1);
        if self.turn >= count {
            self.turn = 0;
        }
        let Some(axis) = self.axes.get_mut(usize::from(self.turn)) else { return false };
        axis.open = true;
        let id = axis.joint.id;
        let (block, tag) = self.tagged(now, all);
        let request = Request::Read { address: block.address, width: block.width };
        self.to_bus.add(|room| series.protocol.encode(id, &request, room));
        self.wait(now, series, all, block, tag);
        true
    }

    fn wait(&mut self, now: Micros, series: &Series, block: Block, asked: Block, tag: usize) {
        self.sent(now, self.to_bus.len());
        self.decoder.reset();
        let reply = series.protocol.reply_len(usize::from(asked.width));
        self.decoder.expect_at_most(reply.wrapping_add(reply / 3));
        let gap = self.answer_us(series, asked.width).saturating_add(THINKING_US);
        // A stop that comes meanwhile is on the line before a whole cycle has passed.
        let goals = self.line_us(self.goals_len(self.plan.joints));
        let end = self.next_cycle.saturating_sub(SPARE_US.saturating_add(goals));
        let until = self.line_free.saturating_add(gap).min(end);
        self.phase = Phase::Asked(Question { until, end, gap, block, tag });
    }

    /// Notes how long the line is taken by what goes out now.
    fn sent(&mut self, now: Micros, bytes: usize) {
        let took = self.line_us(bytes);
        self.line_free = self.line_free.max(now).saturating_add(took);
    }

    /// The block to ask for where `block` is wanted. While an answer to an earlier question may still
    /// come, each asks for some bytes more before it, so that the length of the answer tells.
    fn tagged(&mut self, now: Micros, block: Block) -> (Block, usize) {
        if now >= self.suspect_until {
            return (block, 0);
        }
        self.tag = if self.tag >= TAGS { 1 } else { self.tag.wrapping_add(1) };
        let tag = u16::from(self.tag);
        let address = block.address.wrapping_sub(tag);
        (Block { address, width: block.width.wrapping_add(tag) }, usize::from(tag))
    }

    /// Takes what came from the bus.
    pub(super) fn hear(&mut self, now: Micros, bytes: &[u8]) {
        let engaged = self.engaged();
        match self.phase {
            Phase::Asked(question) => {
                if self.take(&question, bytes) {
                    let until = now.saturating_add(question.gap).min(question.end);
                    self.phase = Phase::Asked(Question { until, ..question });
                }
                if self.axes().iter().all(|axis| !axis.open) {
                    self.answered(now);
                }
            }
            Phase::Idle if engaged => {}
            Phase::Idle | Phase::Through => {
                for piece in bytes.chunks(MOST_THROUGH) {
                    self.reply(0, &Reply::Through { bytes: piece });
                }
            }
        }
    }

    /// Takes the answers in `bytes`. Whether there was one.
    fn take(&mut self, question: &Question, bytes: &[u8]) -> bool {
        let Some(series) = self.series else { return false };
        let count = usize::from(self.plan.joints);
        let period = Micros::from(self.plan.period_us);
        let width = question.tag.wrapping_add(usize::from(question.block.width));
        let mut any = false;
        let mut input = bytes;
        while let Some(frame) = self.decoder.next(&mut input) {
            let Some(status) = frame.status() else { continue };
            let mut axes = self.axes.iter_mut().take(count);
            let axis = axes.find(|axis| axis.open && axis.joint.id == status.id);
            let (Some(axis), true) = (axis, status.data.len() == width) else { continue };
            let data = status.data.get(question.tag..).unwrap_or_default();
            let seen = series.seen(question.block, &status, data, axis.seen);
            let gave_way = axis.seen.gives_way;
            if question.block == series.all {
                axis.see(seen, self.settings.hot, period.saturating_mul(axis.seen.age.into()));
            } else {
                axis.note(seen, self.settings.hot);
                axis.open = false;
            }
            if axis.seen.gives_way && !gave_way {
                self.counts.gave_way = self.counts.gave_way.wrapping_add(1);
            }
            any = true;
        }
        any
    }

    /// The question is over, whoever has answered.
    fn answered(&mut self, now: Micros) {
        let Phase::Asked(question) = self.phase else { return };
        // Nothing more can complete a frame: whole ones may stand behind a false start.
        while self.decoder.give_up() {
            self.take(&question, &[]);
        }
        self.phase = Phase::Idle;
        let mut missed = 0u16;
        for axis in self.axes_mut() {
            missed = missed.wrapping_add(u16::from(core::mem::take(&mut axis.open)));
        }
        if missed > 0 {
            self.counts.missed = self.counts.missed.wrapping_add(missed);
            self.suspect_until = now.saturating_add(LATE_US);
        }
        let Some(series) = self.series else { return };
        if question.block == series.all {
            let took = u16::try_from(now.saturating_sub(self.begun)).unwrap_or(u16::MAX);
            self.latest = (self.cycle, self.begun, took);
            for axis in self.axes_mut() {
                axis.shown = axis.seen;
            }
            self.look_at_supply(now);
            let room = self.line_us(40).saturating_add(THINKING_US);
            if !self.urgent && now.saturating_add(room) < question.end {
                self.ask_in_turn(now, &series);
            }
        }
    }

    /// Takes the host's bytes for the bus. Whether there is room, and ever will be time, for them.
    pub(super) fn queue(&mut self, bytes: &[u8]) -> bool {
        if self.engaged() {
            let goals = self.goals_len(self.plan.joints);
            let all = self.queue.len().wrapping_add(bytes.len()).wrapping_add(goals);
            let needed = self.line_us(all).saturating_add(ANSWER_US).saturating_add(SPARE_US);
            if needed > Micros::from(self.plan.period_us) {
                return false;
            }
        }
        self.queue.push(bytes)
    }

    /// The host's bytes go out as they come.
    fn pass_on(&mut self, now: Micros) {
        if self.queue.is_empty() {
            return;
        }
        let bytes = self.queue.len();
        self.to_bus.push(self.queue.hand_out());
        self.queue.clear();
        self.sent(now, bytes);
    }

    /// The host's bytes go out where they and an answer fit before the next cycle.
    fn pass_on_between(&mut self, now: Micros) {
        if !self.queue.is_empty() && now >= self.line_free && self.fits(now) {
            self.pass_on(now);
            (self.phase, self.waited) = (Phase::Through, 0);
            // Where nothing is to have torque they may be one all the same.
            self.doubt_torque();
        }
    }

    /// Whether what waits, begun at `begin`, leaves the next cycle its time.
    fn fits(&self, begin: Micros) -> bool {
        let took = self.line_us(self.queue.len()).saturating_add(ANSWER_US);
        begin.saturating_add(took) <= self.next_cycle
    }

    /// When what waits may go out, if it may before the next cycle.
    fn next_through(&self) -> Micros {
        let goes = !self.queue.is_empty() && self.fits(self.line_free);
        if goes { self.line_free } else { Micros::MAX }
    }
}

/// Adds one request that tells each of these servos its value of a register; nobody answers.
fn sync_write<'a, const N: usize>(
    to_bus: &mut Outbox<N>,
    series: &Series,
    register: &Register,
    axes: impl Iterator<Item = &'a Axis>,
    value: &dyn Fn(&Axis) -> Option<i32>,
) {
    let mut rows = [0; MOST_JOINTS * 5];
    let mut len = 0;
    for axis in axes {
        let bytes =
            value(axis).and_then(|value| register.encode(series.protocol.byte_order(), value).ok());
        let Some(bytes) = bytes else { continue };
        let row =
            core::iter::once(axis.joint.id).chain(bytes).take(usize::from(register.width) + 1);
        for byte in row {
            if let Some(place) = rows.get_mut(len) {
                *place = byte;
                len += 1;
            }
        }
    }
    if len > 0 {
        let rows = rows.get(..len).unwrap_or_default();
        let (address, width) = (register.address, u16::from(register.width));
        let request = Request::SyncWrite { address, width, rows };
        to_bus.add(|room| series.protocol.encode(BROADCAST, &request, room));
    }
}
