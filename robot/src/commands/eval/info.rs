//! `eval_info.json`, as `lerobot-eval` writes it, with what else can be said.

use std::path::PathBuf;

use serde_json::{Value, json};

use super::figures::interval;
use crate::run::attempt::Outcome;

/// What attempts came to.
#[derive(Clone, Debug)]
pub struct Results {
    /// One for each seed, in their order.
    pub outcomes: Vec<Outcome>,
    /// Videos of the first of them.
    pub videos: Vec<PathBuf>,
    /// How long it all took.
    pub seconds: f64,
}

impl Results {
    /// How many were achieved.
    pub fn successes(&self) -> usize {
        self.outcomes.iter().filter(|outcome| outcome.success).count()
    }

    /// The share of them.
    pub fn rate(&self) -> f64 {
        self.successes() as f64 / self.outcomes.len().max(1) as f64
    }

    /// Between which the true one lies, in 95 of 100 cases.
    pub fn sure(&self) -> [f64; 2] {
        interval(self.successes(), self.outcomes.len())
    }

    fn mean(&self, of: impl Fn(&Outcome) -> f64) -> f64 {
        self.outcomes.iter().map(of).sum::<f64>() / self.outcomes.len().max(1) as f64
    }

    /// LeRobot's file.
    pub fn info(&self, env: &str) -> Value {
        let list = |of: fn(&Outcome) -> Value| self.outcomes.iter().map(of).collect::<Vec<_>>();
        let videos = self.videos.iter().map(|path| path.display().to_string()).collect::<Vec<_>>();
        let mut all = json!({
            "avg_sum_reward": self.mean(|outcome| outcome.sum_reward),
            "avg_max_reward": self.mean(|outcome| outcome.max_reward),
            "pc_success": self.rate() * 100.0,
            "n_episodes": self.outcomes.len(),
            "video_paths": videos,
            "predicted_video_paths": [],
        });
        let group = all.clone();
        if let Some(all) = all.as_object_mut() {
            all.insert("eval_s".to_owned(), json!(self.seconds));
            let each = self.seconds / self.outcomes.len().max(1) as f64;
            all.insert("eval_ep_s".to_owned(), json!(each));
            all.insert("ci95".to_owned(), json!(self.sure().map(|share| share * 100.0)));
        }
        json!({
            "per_task": [{
                "task_group": env,
                "task_id": 0,
                "metrics": {
                    "sum_rewards": list(|outcome| json!(outcome.sum_reward)),
                    "max_rewards": list(|outcome| json!(outcome.max_reward)),
                    "successes": list(|outcome| json!(outcome.success)),
                    "seeds": list(|outcome| json!(outcome.seed)),
                    "video_paths": videos,
                    "predicted_video_paths": [],
                },
            }],
            "per_group": { env: group },
            "overall": all,
        })
    }

    /// What scripts read.
    pub fn json(&self) -> Value {
        json!({
            "episodes": self.outcomes.len(),
            "successes": self.successes(),
            "rate": self.rate(),
            "ci95": self.sure(),
            "seeds": self.outcomes.iter().map(|outcome| outcome.seed).collect::<Vec<_>>(),
            "per_episode": self.outcomes.iter().map(|outcome| json!({
                "seed": outcome.seed,
                "success": outcome.success,
                "ticks": outcome.ticks,
                "sum_reward": outcome.sum_reward,
                "max_reward": outcome.max_reward,
            })).collect::<Vec<_>>(),
            "seconds": self.seconds,
        })
    }
}
