//! A task for other programs, tick by tick: JSON lines over TCP, on this machine alone.
//!
//! ```text
//! {"describe":{}}   ▶ {"task":…,"fps":30,"state":[names],"truth":[names],"action":[names],"ticks":180}
//! {"reset":7}       ▶ {"state":[…],"truth":[…],"reward":0,"achieved":false,"over":false}
//! {"step":[…]}      ▶ the same, after the action
//! anything else     ▶ {"error":"…"}
//! ```
//! The world waits for whoever asks: no time passes in between. Each connection has a world of its own.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};
use sinew_drivers::stop::StopFlag;
use sinew_sim::env::{FPS, Step};
use sinew_sim::{Env, Task};

/// A request's greatest length: an action has a few numbers.
const LONGEST: u64 = 64 * 1024;
/// Worlds at once.
const MOST: usize = 64;
/// A guest that says nothing for so long has gone: an hour, because learning takes its time.
const PATIENCE: Duration = Duration::from_secs(3600);
/// How often it looks whether it should end.
const LOOK: Duration = Duration::from_millis(20);

/// What is asked for.
#[derive(Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
enum Request {
    Describe {},
    Reset(u64),
    Step(Vec<f64>),
}

/// Answers whoever connects until the flag is raised.
pub fn serve(listener: &TcpListener, task: &Task, flag: &StopFlag) -> io::Result<()> {
    listener.set_nonblocking(true)?;
    let guests = Arc::new(AtomicUsize::new(0));
    while flag.raised().is_none() {
        let guest = match listener.accept() {
            Ok((guest, _)) => guest,
            // Nobody, or somebody who has gone again.
            Err(_) => {
                std::thread::sleep(LOOK);
                continue;
            }
        };
        if guests.load(Ordering::Acquire) >= MOST {
            continue;
        }
        // What is wrong with one guest is nothing to the others.
        if welcome(&guest).is_err() {
            continue;
        }
        let (task, seat) = (task.clone(), Seat::take(&guests));
        let talk = move || {
            // Whoever leaves in the middle of a word has left.
            talk(&guest, task).unwrap_or_default();
            drop(seat);
        };
        let spawned = std::thread::Builder::new().name("lockstep".to_owned()).spawn(talk);
        // Nobody is there to talk to him: his place is free again, and he is told by its end.
        drop(spawned);
    }
    Ok(())
}

/// A guest's place, free again when it is dropped.
struct Seat(Arc<AtomicUsize>);

impl Seat {
    fn take(seats: &Arc<AtomicUsize>) -> Self {
        seats.fetch_add(1, Ordering::AcqRel);
        Self(Arc::clone(seats))
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

fn welcome(guest: &TcpStream) -> io::Result<()> {
    guest.set_nonblocking(false)?;
    guest.set_nodelay(true)?;
    guest.set_read_timeout(Some(PATIENCE))?;
    guest.set_write_timeout(Some(PATIENCE))
}

fn talk(mut guest: &TcpStream, task: Task) -> io::Result<()> {
    let mut env = Env::new(task).map_err(io::Error::other)?;
    let mut words = BufReader::new(guest);
    let mut line = Vec::new();
    loop {
        line.clear();
        let read = words.by_ref().take(LONGEST).read_until(b'\n', &mut line)?;
        if read == 0 {
            return Ok(());
        }
        let whole = line.last() == Some(&b'\n');
        let request = serde_json::from_slice::<Value>(&line).ok().filter(|_| whole);
        let answer = match &request {
            Some(_) => answer(&mut env, &line).unwrap_or_else(|what| json!({ "error": what })),
            None => {
                json!({ "error": format!("a request is JSON in one line of at most {LONGEST} bytes") })
            }
        };
        let mut text = answer.to_string();
        text.push('\n');
        guest.write_all(text.as_bytes())?;
        // Who speaks another language, such as HTTP, is no guest.
        if request.is_none() {
            return Ok(());
        }
    }
}

fn answer(env: &mut Env, line: &[u8]) -> Result<Value, String> {
    let said = |error: sinew_sim::Error| error.to_string();
    match serde_json::from_slice(line).map_err(|error| error.to_string())? {
        Request::Describe {} => Ok(json!({
            "task": env.task().task,
            "name": env.task().name,
            "fps": FPS,
            "ticks": env.most_ticks(),
            "state": env.state_names(),
            "action": env.state_names(),
            "truth": env.truth_names(),
        })),
        Request::Reset(seed) => {
            env.reset(seed).map_err(said)?;
            Ok(observed(env, None))
        }
        Request::Step(action) => {
            let step = env.step(&action).map_err(said)?;
            Ok(observed(env, Some(step)))
        }
    }
}

fn observed(env: &Env, step: Option<Step>) -> Value {
    let seen = env.observed().cloned().unwrap_or_default();
    let verdict = step.map(|step| step.verdict).unwrap_or_default();
    json!({
        "state": seen.state,
        "truth": seen.truth,
        "reward": verdict.reward,
        "achieved": verdict.achieved,
        "over": step.is_some_and(|step| step.over),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(env: &mut Env, text: &str) -> Value {
        answer(env, text.as_bytes()).unwrap_or_else(|what| json!({ "error": what }))
    }

    #[test]
    fn a_task_is_worked_on_line_by_line() {
        let mut env = Env::new(Task::find("reach").unwrap()).unwrap();
        let told = ask(&mut env, "{\"describe\":{}}");
        assert_eq!(told["state"].as_array().unwrap().len(), 6);
        let first = ask(&mut env, "{\"reset\":3}");
        let step = ask(&mut env, "{\"step\":[0,-34,34,52,0,10]}");
        assert_eq!(step["truth"], first["truth"]);
        assert!(step["reward"].as_f64().unwrap() < 0.0 && step["over"] == false);
        assert_eq!(ask(&mut env, "{\"reset\":3}"), first);
    }

    #[test]
    fn what_is_no_request_is_answered_with_an_error() {
        let mut env = Env::new(Task::find("reach").unwrap()).unwrap();
        let early = ask(&mut env, "{\"step\":[0,0,0,0,0,0]}");
        assert!(early["error"].as_str().unwrap().contains("reset"), "{early}");
        ask(&mut env, "{\"reset\":0}");
        for text in [
            "",
            "[]",
            "{\"step\":[1]}",
            "{\"step\":[1e999,0,0,0,0,0]}",
            "{\"reset\":-1}",
            "{\"jump\":1}",
        ] {
            let told = ask(&mut env, text);
            assert!(told["error"].is_string(), "{text}: {told}");
        }
    }
}
