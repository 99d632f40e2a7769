//! `sinew sim watch`

use clap::Args;
use serde_json::json;
use sinew_drivers::clock::SECOND;
use sinew_drivers::{Clock, Nanos};
use sinew_sim::env::FPS;
use sinew_sim::views::{Eye, View};
use sinew_sim::{Env, Task};

use crate::cli::failure::{Exit, Failure};
use crate::cli::physics::PhysicsFlags;
use crate::cli::report::Report;
use crate::commands::driving::listen;
use crate::run::attempt::{Scripted, attempt};
use crate::simulated::USUAL_TASK;
use crate::view::blocks;

/// A look at a task and its scripted expert, in the terminal
///
/// Example: sinew sim watch --env so101_lift --camera side
///
/// Where nobody looks, it is over as fast as this machine is.
#[derive(Debug, Args)]
pub struct Watch {
    /// Which task: so101_lift, so101_pick_place, so101_push, reach, or a task's TOML file
    #[arg(long, default_value = USUAL_TASK, value_name = "NAME")]
    env: String,
    /// How many attempts
    #[arg(long, default_value_t = 3, value_name = "N")]
    episodes: u64,
    /// The seed of the first; the others follow
    #[arg(long, default_value_t = 0, value_name = "N")]
    seed: u64,
    /// From where: front, side, top or wrist
    #[arg(long, default_value = "front", value_name = "NAME")]
    camera: String,
    #[command(flatten)]
    world: PhysicsFlags,
}

impl Watch {
    pub fn run(self, report: &Report) -> Result<Exit, Failure> {
        let flag = listen()?;
        let mut env = Env::by(self.world.physics, Task::find(&self.env)?)?;
        let mut achieved = 0;
        let mut expert = Scripted::default();
        let mut made = 0;
        while made < self.episodes && flag.raised().is_none() {
            let seed = self.seed.wrapping_add(made);
            let mut watcher = Watcher::new(&self.camera);
            let look = &mut |env: &Env| {
                // Whoever ends it waits for nothing.
                if report.drawing() && flag.raised().is_none() {
                    report.draw(&watcher.see(env, report.coloured()));
                    watcher.wait();
                }
                Ok(Vec::new())
            };
            let outcome =
                attempt(&mut env, seed, &mut expert, look, &mut |_moment, _action| Ok(()))?;
            made += 1;
            achieved += u64::from(outcome.success);
            let verdict = if outcome.success { "achieved" } else { "not achieved" };
            let seconds = f64::from(outcome.ticks) / f64::from(FPS);
            report.say(format!("{}, seed {seed}: {verdict} in {seconds:.1} s", self.env));
            report.event(&json!({
                "type": "attempt", "seed": seed, "success": outcome.success, "ticks": outcome.ticks,
            }));
        }
        report.result(json!({ "env": self.env, "attempts": made, "achieved": achieved }));
        Ok(Exit::Done)
    }
}

/// Sees one attempt.
struct Watcher<'a> {
    camera: &'a str,
    eye: Eye,
    /// Lines drawn before.
    drawn: usize,
    next: Nanos,
}

impl<'a> Watcher<'a> {
    fn new(camera: &'a str) -> Self {
        Self { camera, eye: Eye::default(), drawn: 0, next: Clock::Real.now() }
    }

    /// What is seen now, drawn over what was.
    fn see(&mut self, env: &Env, coloured: bool) -> String {
        let (wide, high) = terminal_size::terminal_size().map_or((80, 24), |(w, h)| (w.0, h.0));
        // The last lines are the cursor's, and the words'.
        let (width, height) = blocks::fit(wide, high.saturating_sub(2));
        let Some(world) = env.world() else { return String::new() };
        self.eye.take_in(&world.look());
        let camera = self.eye.camera(&View::named(self.camera, width, height));
        let text = blocks::lines(&self.eye.paint(&camera).pixels, width, coloured);
        let back = if self.drawn > 0 { format!("\x1b[{}A", self.drawn) } else { String::new() };
        self.drawn = text.lines().count();
        back + &text
    }

    /// Waits for the next tick.
    fn wait(&mut self) {
        self.next = (self.next + SECOND / Nanos::from(FPS)).max(Clock::Real.now());
        Clock::Real.sleep_until(self.next);
    }
}
