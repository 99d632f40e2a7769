//! Questions to a board and its answers, with what the servos say among them.

use std::collections::VecDeque;

use sinew_core::bridge::{FRAME_ROOM, Framer, MOST_THROUGH, Observation, Reply, Request};

use super::Offset;
use crate::{Clock, Error, Nanos, Wire};

/// Bytes of the servos' that may wait to be read; more than a bus's longest answer.
const WAITING: usize = 4096;

/// The conversation with one board.
pub(super) struct Talk {
    wire: Box<dyn Wire>,
    framer: Framer,
    /// The number of the latest question.
    number: u16,
    from_bus: VecDeque<u8>,
    seen: Option<Observation>,
    offset: Offset,
    /// The answer to the latest question.
    answer: Option<Reply<'static>>,
    /// When the latest question left, for its answer to tell the time.
    asked: Nanos,
    out: [u8; FRAME_ROOM],
    incoming: [u8; 512],
}

impl Talk {
    pub fn new(wire: Box<dyn Wire>) -> Self {
        Self {
            wire,
            framer: Framer::new(),
            number: 0,
            from_bus: VecDeque::with_capacity(WAITING),
            seen: None,
            offset: Offset::default(),
            answer: None,
            asked: 0,
            out: [0; FRAME_ROOM],
            incoming: [0; 512],
        }
    }

    pub fn wire(&self) -> &dyn Wire {
        &*self.wire
    }

    pub fn wire_mut(&mut self) -> &mut dyn Wire {
        &mut *self.wire
    }

    pub fn clock(&self) -> &Clock {
        self.wire.clock()
    }

    pub fn offset(&self) -> &Offset {
        &self.offset
    }

    /// What the board told of itself last.
    pub fn seen(&self) -> Option<&Observation> {
        self.seen.as_ref()
    }

    /// Forgets everything, and ends what the board may have heard the beginning of.
    pub fn begin(&mut self) -> Result<(), Error> {
        self.framer.reset();
        self.from_bus.clear();
        (self.seen, self.answer, self.offset) = (None, None, Offset::default());
        self.wire.discard_input()?;
        self.wire.send(&[0]).map(drop)
    }

    /// Says something and waits for nobody. Returns when it left.
    pub fn say(&mut self, request: &Request) -> Result<Nanos, Error> {
        // Zero is for what the board says unasked.
        self.number = self.number.checked_add(1).unwrap_or(1);
        let len = request.encode(self.number, &mut self.out)?;
        self.asked = self.wire.send(self.out.get(..len).unwrap_or_default())?;
        Ok(self.asked)
    }

    /// Says something and waits for its answer, `None` if there was none in time.
    pub fn ask(
        &mut self,
        request: &Request,
        patience: Nanos,
    ) -> Result<Option<Reply<'static>>, Error> {
        self.answer = None;
        let deadline = self.say(request)?.saturating_add(patience);
        // A line that babbles without end must not keep its asker here either.
        while self.answer.is_none() && self.listen(deadline)? && self.clock().now() < deadline {}
        Ok(self.answer.take())
    }

    /// Has bytes put on the servos' line. Returns when the first left.
    pub fn through(&mut self, bytes: &[u8]) -> Result<Nanos, Error> {
        let mut first = None;
        for piece in bytes.chunks(MOST_THROUGH) {
            let left = self.say(&Request::Through { bytes: piece })?;
            first.get_or_insert(left);
        }
        Ok(first.unwrap_or_else(|| self.clock().now()))
    }

    /// Waits until the servos have said something, or until `deadline`.
    pub fn hear(&mut self, into: &mut [u8], deadline: Nanos) -> Result<usize, Error> {
        while self.from_bus.is_empty() && self.listen(deadline)? && self.clock().now() < deadline {}
        let mut taken = 0;
        for place in into {
            let Some(byte) = self.from_bus.pop_front() else { break };
            *place = byte;
            taken += 1;
        }
        Ok(taken)
    }

    /// Throws away what the servos have said; what the board says of itself is kept.
    pub fn discard(&mut self) -> Result<(), Error> {
        // A line that babbles without end must not keep its reader here.
        for _ in 0..WAITING / self.incoming.len() {
            if !self.listen(Nanos::MIN)? {
                break;
            }
        }
        self.from_bus.clear();
        Ok(())
    }

    /// Takes in what comes until `deadline`; whether anything did.
    fn listen(&mut self, deadline: Nanos) -> Result<bool, Error> {
        let got = self.wire.receive(&mut self.incoming, deadline)?;
        let came = self.wire.clock().now();
        let mut input = self.incoming.get(..got).unwrap_or_default();
        while let Some(message) = self.framer.next(&mut input) {
            let Some((number, reply)) = Reply::decode(message) else { continue };
            let ours = number == self.number;
            let reply = match reply {
                Reply::Through { bytes } => {
                    let room = WAITING.saturating_sub(self.from_bus.len());
                    self.from_bus.extend(bytes.iter().take(room));
                    continue;
                }
                Reply::Observation(seen) => {
                    if self.seen.is_some_and(|before| seen.now_us < before.now_us) {
                        // It has started anew, and its clock with it.
                        self.offset = Offset::default();
                    }
                    if ours {
                        self.offset.learn(self.asked, came, seen.now_us);
                    }
                    self.seen = Some(seen);
                    Reply::Observation(seen)
                }
                Reply::Time { now_us } => {
                    if ours {
                        self.offset.learn(self.asked, came, now_us);
                    }
                    Reply::Time { now_us }
                }
                Reply::Describe(board) => Reply::Describe(board),
                Reply::Done => Reply::Done,
                Reply::Engaged { period_us } => Reply::Engaged { period_us },
                Reply::Settings(settings) => Reply::Settings(settings),
                Reply::Refused(why) => Reply::Refused(why),
            };
            if ours {
                self.answer = Some(reply);
            }
        }
        Ok(got > 0)
    }
}
