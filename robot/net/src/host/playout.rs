//! A source that follows what comes over the network, evenly.
//!
//! ```text
//! verified actions ─▶ the last rows, each with the instant it is meant for ─▶ where it is now − delay
//! ```
//! Messages come when they come. Each says for which instant it was meant; what is followed is where the
//! row of so long ago stands, so that what was sent evenly is followed evenly. How long ago goes by how
//! unevenly messages have come of late: on a good line hardly at all.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use rtrb::Consumer;
use sinew_drivers::clock::{MILLI, SECOND};
use sinew_drivers::{Error, Nanos};
use sinew_teleop::source::{Lead, Source};

use super::desk::Desk;
use crate::message::MOST_VALUES;

/// Unevenness that is made up for; what comes later than that comes late.
const MOST_DELAY: Nanos = 120 * MILLI;
/// A holder silent for so long is no longer followed: the arm stays where it was told to be, and a base
/// stands still.
pub const SILENT: Nanos = 100 * MILLI;
/// An instant further from its arrival is none that could be meant.
const WILD: u64 = 10 * SECOND as u64;
/// How many rows are kept.
const ROWS: usize = 64;
/// Following is slowed down or sped up by no more than this share, while the delay changes.
const SLEW: f64 = 0.2;

/// One action, verified.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// Its lease.
    pub lease: u64,
    /// Its number.
    pub n: u64,
    /// The instant it is meant for, on this machine's clock as its holder reckons it.
    pub at: Nanos,
    /// When it came.
    pub arrived: Nanos,
    /// As many values as its arm has.
    pub values: [f64; MOST_VALUES],
}

/// What is known of a follower to whoever tells of it.
#[derive(Debug, Default)]
pub struct Followed {
    /// The number of the newest action that was carried out.
    pub done: AtomicU64,
    /// How many were.
    pub count: AtomicU64,
    /// By how much they are held back.
    pub delay: AtomicI64,
}

/// Drives one arm with what its holder says.
pub struct Led {
    incoming: Consumer<Row>,
    desk: Arc<Desk>,
    followed: Arc<Followed>,
    lease: u64,
    rows: Box<Rows>,
    lead: Lead,
    /// Which values are speeds, and would go on for as long as nobody says otherwise.
    speeds: Vec<usize>,
    /// Whether that was said since its holder was heard last.
    still: bool,
    delay: f64,
    last: Option<Nanos>,
}

/// The newest rows, the oldest first.
struct Rows {
    kept: [Row; ROWS],
    begin: usize,
    count: usize,
}

const NONE: Row = Row { lease: 0, n: 0, at: 0, arrived: 0, values: [0.0; MOST_VALUES] };

impl Rows {
    fn new() -> Box<Self> {
        Box::new(Self { kept: [NONE; ROWS], begin: 0, count: 0 })
    }

    fn get(&self, place: usize) -> Option<&Row> {
        if place >= self.count {
            return None;
        }
        self.kept.get((self.begin + place) % ROWS)
    }

    fn newest(&self) -> Option<&Row> {
        self.get(self.count.checked_sub(1)?)
    }

    fn push(&mut self, row: Row) {
        // Over two ways a later one may overtake: it takes the place of all that were meant for later.
        while self.newest().is_some_and(|newest| newest.at >= row.at) {
            self.count -= 1;
        }
        if let Some(place) = self.kept.get_mut((self.begin + self.count) % ROWS) {
            *place = row;
        }
        match self.count < ROWS {
            true => self.count += 1,
            false => self.begin = (self.begin + 1) % ROWS,
        }
    }

    /// From the shortest time a row took to the longest.
    fn transits(&self) -> Option<(Nanos, Nanos)> {
        let took = (0..self.count).filter_map(|place| self.get(place));
        let took = took.map(|row| row.arrived.saturating_sub(row.at));
        took.fold(None, |span, took| match span {
            None => Some((took, took)),
            Some((least, most)) => Some((took.min(least), took.max(most))),
        })
    }

    /// The rows around an instant, and how far it is from the first to the second.
    fn around(&self, at: Nanos) -> Option<(&Row, &Row, f64)> {
        let later = (0..self.count).find(|place| self.get(*place).is_some_and(|row| row.at > at));
        match later {
            None => self.newest().map(|newest| (newest, newest, 0.0)),
            Some(0) => self.get(0).map(|oldest| (oldest, oldest, 0.0)),
            Some(place) => {
                let (before, after) = (self.get(place - 1)?, self.get(place)?);
                let share = (at - before.at) as f64 / (after.at - before.at) as f64;
                Some((before, after, share))
            }
        }
    }
}

impl Led {
    /// Follows what is handed on for an arm with values of these names.
    pub fn new(
        incoming: Consumer<Row>,
        desk: Arc<Desk>,
        followed: Arc<Followed>,
        values: &[String],
    ) -> Self {
        let speeds = values.iter().enumerate().filter(|(_, name)| name.ends_with(".vel"));
        Self {
            speeds: speeds.map(|(place, _)| place).collect(),
            still: true,
            incoming,
            desk,
            followed,
            lease: 0,
            rows: Rows::new(),
            lead: Lead::new(values.len()),
            delay: 0.0,
            last: None,
        }
    }

    fn take(&mut self) {
        let lease = self.desk.driven();
        if lease != self.lease {
            (self.lease, self.last) = (lease, None);
            self.rows.count = 0;
        }
        while let Ok(row) = self.incoming.pop() {
            if row.lease == lease && row.at.abs_diff(row.arrived) < WILD {
                self.rows.push(row);
            }
        }
    }

    /// By how much what is followed lies back now.
    fn delay(&mut self, now: Nanos) -> Option<Nanos> {
        let (least, most) = self.rows.transits()?;
        let wanted = most.min(least.saturating_add(MOST_DELAY)) as f64;
        self.delay = match self.last.replace(now) {
            None => wanted,
            Some(last) => {
                let step = SLEW * (now - last) as f64;
                wanted.clamp(self.delay - step, self.delay + step)
            }
        };
        self.followed.delay.store(self.delay as Nanos - least, Ordering::Relaxed);
        Some(self.delay as Nanos)
    }

    /// Commands nothing any more, after one last command where something would go on by itself.
    fn fall_silent(&mut self) {
        let stops = !self.still && !self.speeds.is_empty();
        self.still = true;
        self.lead.age = if stops { 0 } else { Nanos::MAX };
        for place in &self.speeds {
            if let Some(speed) = self.lead.values.get_mut(*place) {
                *speed = 0.0;
            }
        }
    }
}

impl Source for Led {
    fn read(&mut self, now: Nanos) -> Result<&Lead, Error> {
        self.take();
        let Some(delay) = self.delay(now) else {
            self.fall_silent();
            return Ok(&self.lead);
        };
        let silence = self.rows.newest().map_or(Nanos::MAX, |newest| now - newest.arrived);
        if silence > SILENT {
            self.fall_silent();
            return Ok(&self.lead);
        }
        self.still = false;
        let Some((before, after, share)) = self.rows.around(now.saturating_sub(delay)) else {
            return Ok(&self.lead);
        };
        for ((value, before_value), after_value) in
            self.lead.values.iter_mut().zip(before.values).zip(after.values)
        {
            *value = before_value + share * (after_value - before_value);
        }
        self.lead.age = silence.max(0);
        if self.followed.done.swap(before.n, Ordering::Relaxed) != before.n {
            self.followed.count.fetch_add(1, Ordering::Relaxed);
        }
        Ok(&self.lead)
    }

    fn lead(&self) -> &Lead {
        &self.lead
    }
}

#[cfg(test)]
mod tests {
    use rtrb::{Producer, RingBuffer};
    use sinew_drivers::Clock;

    use super::*;
    use crate::message::{Ask, Op, VERSION};

    struct Bench {
        out: Producer<Row>,
        led: Led,
        desk: Arc<Desk>,
        lease: u64,
    }

    fn bench() -> Bench {
        bench_of("pan.pos")
    }

    fn bench_of(value: &str) -> Bench {
        let (out, incoming) = RingBuffer::new(256);
        let desk = Arc::new(Desk::new(SECOND, true, Clock::virtual_time()).unwrap());
        let led = Led::new(incoming, Arc::clone(&desk), Arc::default(), &[value.to_owned()]);
        let mut bench = Bench { out, led, desk, lease: 0 };
        bench.again();
        bench
    }

    impl Bench {
        fn again(&mut self) {
            let ask = Ask {
                v: VERSION,
                op: Op::Take,
                who: "me".into(),
                lease: 0,
                n: 0,
                take_over: true,
                limp: false,
            };
            self.lease = self.desk.take(&ask).unwrap().granted.lease;
            self.desk.follow(self.lease);
        }

        fn say(&mut self, n: u64, at: Nanos, took: Nanos, value: f64) {
            let mut values = [0.0; MOST_VALUES];
            values[0] = value;
            let row = Row { lease: self.lease, n, at, arrived: at + took, values };
            self.out.push(row).unwrap();
        }

        fn heard(&mut self, now: Nanos) -> (f64, bool) {
            let lead = self.led.read(now).unwrap();
            (lead.values[0], lead.age < Nanos::MAX)
        }
    }

    /// A hand moving at 1 unit per millisecond, told every 10 ms, each word taking `took` to come; the
    /// greatest step that is followed in a tick of 10 ms, once it runs.
    fn steepest(took: impl Fn(u64) -> Nanos) -> f64 {
        let mut bench = bench();
        let mut waiting: Vec<(u64, Nanos)> = (0..500).map(|n| (n, took(n))).collect();
        let (mut last, mut steepest): (Option<f64>, f64) = (None, 0.0);
        for tick in 20..480 {
            let now = tick * 10 * MILLI;
            waiting.retain(|(n, took)| {
                let at = *n as Nanos * 10 * MILLI;
                let there = at + took <= now;
                if there {
                    bench.say(*n, at, *took, at as f64 / MILLI as f64);
                }
                !there
            });
            let (value, live) = bench.heard(now);
            if live && tick > 120 {
                steepest = steepest.max(last.map_or(0.0, |last| value - last));
            }
            last = Some(value);
        }
        steepest
    }

    #[test]
    fn what_comes_evenly_is_followed_at_once() {
        let mut bench = bench();
        bench.say(1, 0, MILLI, 1.0);
        bench.say(2, 10 * MILLI, MILLI, 2.0);
        assert_eq!(bench.heard(11 * MILLI), (2.0, true));
    }

    #[test]
    fn what_comes_in_gusts_is_followed_evenly() {
        let even = steepest(|_| 5 * MILLI);
        assert!((9.9..10.1).contains(&even), "{even}");
        // Every fifth word takes 50 ms and the four behind it wait for it.
        let gusts = |n: u64| (50 - 10 * (n % 5) as Nanos).max(10) * MILLI;
        let steps = steepest(gusts);
        assert!(steps <= 12.1, "a step of {steps} where 10 were made");
    }

    #[test]
    fn who_falls_silent_is_not_followed_and_a_new_lease_begins_with_nothing() {
        let mut bench = bench();
        bench.say(1, 0, 0, 5.0);
        assert_eq!(bench.heard(SILENT), (5.0, true));
        assert!(!bench.heard(SILENT + 1).1);
        bench.say(2, SILENT, MILLI, 6.0);
        assert!(bench.heard(SILENT + MILLI).1);
        let old = bench.lease;
        bench.again();
        assert!(!bench.heard(SILENT + 2 * MILLI).1);
        let lease = std::mem::replace(&mut bench.lease, old);
        bench.say(3, SILENT + 2 * MILLI, 0, 9.0);
        assert!(!bench.heard(SILENT + 2 * MILLI).1, "a row of the lease before");
        bench.lease = lease;
        bench.say(1, SILENT + 3 * MILLI, 0, 7.0);
        assert_eq!(bench.heard(SILENT + 3 * MILLI), (7.0, true));
    }

    #[test]
    fn a_base_is_told_once_to_stand_still_when_its_holder_falls_silent() {
        let mut bench = bench_of("x.vel");
        assert_eq!(bench.heard(0), (0.0, false));
        bench.say(1, 0, 0, 0.3);
        assert_eq!(bench.heard(SILENT), (0.3, true));
        assert_eq!(bench.heard(SILENT + 1), (0.0, true));
        assert_eq!(bench.heard(SILENT + 2), (0.0, false));
        // And when somebody else leads from now on.
        bench.say(2, SILENT + 3, 0, 0.3);
        assert_eq!(bench.heard(SILENT + 3), (0.3, true));
        bench.again();
        assert_eq!(bench.heard(SILENT + 4), (0.0, true));
        assert_eq!(bench.heard(SILENT + 5), (0.0, false));
    }

    #[test]
    fn instants_of_a_wild_clock_are_survived() {
        let mut bench = bench();
        let wild = [Nanos::MIN, Nanos::MAX, Nanos::MIN / 2, Nanos::MAX / 2, 0, Nanos::MAX, 10];
        for (n, at) in (1..).zip(wild) {
            let mut values = [0.0; MOST_VALUES];
            values[0] = 1.0;
            let row = Row { lease: bench.lease, n, at, arrived: 20, values };
            bench.out.push(row).unwrap();
            assert!((0.0..=1.0).contains(&bench.heard(20).0));
        }
        assert_eq!(bench.heard(21), (1.0, true), "what was meant for now is followed all the same");
    }

    #[test]
    fn who_takes_over_is_not_followed_before_asking_for_torque() {
        let mut bench = bench();
        bench.say(1, 0, 0, 5.0);
        assert_eq!(bench.heard(MILLI), (5.0, true));
        let ask = Ask {
            v: VERSION,
            op: Op::Take,
            who: "you".into(),
            lease: 0,
            n: 0,
            take_over: true,
            limp: false,
        };
        bench.lease = bench.desk.take(&ask).unwrap().granted.lease;
        bench.say(1, 2 * MILLI, 0, 90.0);
        assert_eq!(bench.heard(2 * MILLI).0, 5.0);
        bench.desk.follow(bench.lease);
        assert!(!bench.heard(3 * MILLI).1, "what was said before that is nothing to go by");
        bench.say(2, 4 * MILLI, 0, 90.0);
        assert_eq!(bench.heard(4 * MILLI), (90.0, true));
    }
}
