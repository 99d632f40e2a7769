//! One connection of a client, and one to the hub.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

use super::{Fault, Passed, Question, Shared};

/// How many bytes go on at once, so that a cut is where it should be.
const STEP: usize = 8 << 10;

/// How long a byte takes that trickles.
const DROP: Duration = Duration::from_micros(200);

/// How long a step takes that is sipped.
const SIP: Duration = Duration::from_millis(20);

/// Passes on what is asked and answered until one of the two has enough, or the plan has it end.
pub fn relay(shared: &Shared, client: TcpStream) {
    let hub = TcpStream::connect(shared.hub);
    let mut state = shared.wait_while(|state| state.closed);
    let Ok(hub) = hub else { return };
    for stream in [&client, &hub] {
        stream.set_nodelay(true).unwrap_or_default();
    }
    let id = state.begun;
    state.begun += 1;
    let streams = [client.try_clone().unwrap(), hub.try_clone().unwrap()];
    state.connections.insert(id, streams);
    drop(state);
    let mut both = Both { shared, client: BufReader::new(client), hub: BufReader::new(hub) };
    while both.exchange().is_some() {}
    for stream in [both.client.get_ref(), both.hub.get_ref()] {
        stream.shutdown(Shutdown::Both).unwrap_or_default();
    }
    shared.state().connections.remove(&id);
    shared.changed.notify_all();
}

struct Both<'a> {
    shared: &'a Shared,
    client: BufReader<TcpStream>,
    hub: BufReader<TcpStream>,
}

/// How much of a body goes on, and which of its bytes is changed.
#[derive(Clone, Copy, Default)]
struct Harm {
    most: Option<u64>,
    flip: Option<u64>,
    slow: bool,
}

impl Both<'_> {
    /// One question and its answer; nothing where the connections end with it.
    fn exchange(&mut self) -> Option<()> {
        let head = head(&mut self.client)?;
        let mut question = question(&head)?;
        let mut state = self.shared.state();
        question.number = state.questions;
        state.questions += 1;
        let mut passed = Passed { after: state.cuts, question, ..Passed::default() };
        drop(state);
        let fault = (self.shared.plan.lock().unwrap())(&passed.question);
        let went = self.answer(&head, &mut passed, fault.as_ref());
        self.shared.state().passed.push(passed);
        self.shared.changed.notify_all();
        went
    }

    fn answer(&mut self, head: &[u8], passed: &mut Passed, fault: Option<&Fault>) -> Option<()> {
        let length = passed.question.length;
        let mut harm = Harm::default();
        match fault {
            Some(Fault::Say(answer)) => {
                self.take(length, Harm::default(), false, &mut passed.sent)?;
                return self.client.get_mut().write_all(answer.as_bytes()).ok();
            }
            Some(Fault::SayEarly(answer)) => {
                self.client.get_mut().write_all(answer.as_bytes()).ok()?;
                return None;
            }
            Some(Fault::Silence) => {
                self.take(length, Harm::default(), false, &mut passed.sent)?;
                // Until the client has enough.
                self.client.read(&mut [0]).unwrap_or_default();
                return None;
            }
            Some(Fault::CutQuestion(at)) => harm.most = Some(*at),
            Some(Fault::FlipQuestion(at)) => harm.flip = at.checked_rem(length),
            Some(Fault::Sip) => harm.slow = true,
            _ => {}
        }
        self.hub.get_mut().write_all(head).ok()?;
        // Where the hub has heard enough it says why.
        self.take(length, harm, true, &mut passed.sent).or(harm.most.is_none().then_some(()))?;
        if harm.most.is_some() {
            return None;
        }
        let (head, status, length) = answer_head(&mut self.hub, &passed.question.method)?;
        passed.status = Some(status);
        let mut harm = Harm::default();
        let mut head = head;
        match fault {
            Some(Fault::CutAnswer(at)) => {
                let in_head = head.len().min(*at as usize);
                if in_head < head.len() {
                    self.client.get_mut().write_all(&head[..in_head]).ok()?;
                    return None;
                }
                harm.most = Some(at - in_head as u64);
            }
            Some(Fault::FlipAnswer(at)) => harm.flip = at.checked_rem(length),
            Some(Fault::Trickle) => harm.slow = true,
            Some(Fault::Header(name, value)) => head = with_header(&head, name, value),
            _ => {}
        }
        self.give(&head, length, harm, &mut passed.came)
    }

    /// Takes what the client sends, and passes it on where it is wanted.
    fn take(&mut self, length: u64, harm: Harm, wanted: bool, sent: &mut u64) -> Option<()> {
        let mut block = vec![0; STEP];
        let mut heard = wanted;
        while *sent < length {
            let most = (length - *sent).min(STEP as u64) as usize;
            if harm.slow {
                std::thread::sleep(SIP);
                if self.shared.state().closed {
                    return None;
                }
            }
            let count = self.client.read(&mut block[..most]).ok().filter(|count| *count > 0)?;
            let end = harm.most.map_or(count, |most| most.saturating_sub(*sent) as usize);
            let bytes = &mut block[..count];
            turn(bytes, *sent, harm.flip);
            // Until it is passed on it counts as not sent.
            let mut state = self.shared.wait_while(|state| state.stands());
            state.sent += count.min(end) as u64;
            let stands = state.stands();
            drop(state);
            if stands {
                self.shared.changed.notify_all();
            }
            heard = heard && self.hub.get_mut().write_all(&bytes[..count.min(end)]).is_ok();
            *sent += count.min(end) as u64;
            if end < count {
                return None;
            }
        }
        Some(())
    }

    /// Gives the client what the hub says.
    fn give(&mut self, head: &[u8], length: u64, harm: Harm, came: &mut u64) -> Option<()> {
        let step = if harm.slow { 1 } else { STEP };
        for bytes in head.chunks(step) {
            self.drip(bytes, harm.slow)?;
        }
        let mut block = vec![0; step];
        while *came < length {
            let most = (length - *came).min(step as u64) as usize;
            let count = self.hub.read(&mut block[..most]).ok().filter(|count| *count > 0)?;
            let end = harm.most.map_or(count, |most| most.saturating_sub(*came) as usize);
            let bytes = &mut block[..count];
            turn(bytes, *came, harm.flip);
            self.drip(&bytes[..count.min(end)], harm.slow)?;
            *came += count.min(end) as u64;
            if end < count {
                return None;
            }
        }
        Some(())
    }

    fn drip(&mut self, bytes: &[u8], slow: bool) -> Option<()> {
        if slow {
            std::thread::sleep(DROP);
        }
        self.client.get_mut().write_all(bytes).ok()
    }
}

/// Turns a bit of the byte at `flip`, where it is among these, of which the first is at `first`.
fn turn(bytes: &mut [u8], first: u64, flip: Option<u64>) {
    if let Some(byte) = flip.and_then(|flip| bytes.get_mut(flip.checked_sub(first)? as usize)) {
        *byte ^= 1;
    }
}

/// Everything up to the empty line.
fn head(from: &mut BufReader<TcpStream>) -> Option<Vec<u8>> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        from.read_until(b'\n', &mut head).ok().filter(|count| *count > 0)?;
    }
    Some(head)
}

fn question(head: &[u8]) -> Option<Question> {
    let mut headers = [httparse::EMPTY_HEADER; 64];
    let mut request = httparse::Request::new(&mut headers);
    request.parse(head).ok()?;
    let (method, path) = (request.method?.to_owned(), request.path?.to_owned());
    let signed = request.headers.iter().any(|one| one.name.eq_ignore_ascii_case("authorization"));
    let length = length(request.headers).unwrap_or(0);
    Some(Question { number: 0, method, path, length, signed })
}

/// The head of the hub's answer, its status, and how much follows.
fn answer_head(hub: &mut BufReader<TcpStream>, method: &str) -> Option<(Vec<u8>, u16, u64)> {
    let head = head(hub)?;
    let mut headers = [httparse::EMPTY_HEADER; 64];
    let mut response = httparse::Response::new(&mut headers);
    response.parse(&head).ok()?;
    let status = response.code?;
    let empty = method == "HEAD" || matches!(status, 204 | 304);
    let length = if empty { 0 } else { length(response.headers).unwrap_or(u64::MAX) };
    Some((head, status, length))
}

fn length(headers: &[httparse::Header<'_>]) -> Option<u64> {
    let length = headers.iter().find(|one| one.name.eq_ignore_ascii_case("content-length"))?;
    std::str::from_utf8(length.value).ok()?.parse().ok()
}

fn with_header(head: &[u8], name: &str, value: &str) -> Vec<u8> {
    let text = String::from_utf8_lossy(head);
    let is_it =
        |line: &&str| line.split_once(':').is_some_and(|(key, _)| key.eq_ignore_ascii_case(name));
    let mut lines: Vec<&str> = text.trim_end().split("\r\n").filter(|line| !is_it(line)).collect();
    let line = format!("{name}: {value}");
    lines.push(&line);
    format!("{}\r\n\r\n", lines.join("\r\n")).into_bytes()
}
