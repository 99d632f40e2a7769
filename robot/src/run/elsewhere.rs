//! A policy elsewhere: what was seen goes there, what to do comes back.

use std::collections::BTreeMap;
use std::time::Duration;

use sinew_datasets::{Image, PixelFormat};
#[cfg(feature = "sim")]
use sinew_drivers::{Clock, clock::MILLI};
use sinew_net::Network;
use sinew_net::message::{Frame, View};
use sinew_net::think::Elsewhere;
use sinew_policies::chunk::Ensemble;
use sinew_policies::config::{Feature, FeatureKind, Features};
use sinew_policies::preflight::{self, Offered, Preflight};
use sinew_policies::processor::Pipeline;

use super::rollout::Shape;
#[cfg(feature = "sim")]
use super::rollout::{PATIENCE, silent};
use crate::cameras::jpeg::jpeg;
use crate::cli::failure::{Exit, Failure};

/// How long an answer may take before the question is asked anew.
const ANSWER: Duration = Duration::from_secs(5);
/// How good JPEG pictures are: nobody sees the difference, and a policy hardly does.
const QUALITY: u8 = 90;

/// How pictures go to a policy elsewhere.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Pictures {
    /// As JPEG files of quality 90, where it takes them
    #[default]
    Jpeg,
    /// As they are, about ten times as large
    Raw,
}

/// A policy elsewhere, and how it is asked.
pub struct Remote {
    policy: Elsewhere,
    inputs: Features,
    /// What what is seen is called there.
    names: BTreeMap<String, String>,
    pictures: Pictures,
    task: Option<String>,
    averages: Option<Ensemble>,
}

impl Remote {
    /// Finds the policy of this name, to be asked by `robot` like this; `names` puts the policy's names in
    /// the place of ours.
    pub fn meet(
        network: Network,
        name: &str,
        robot: &str,
        names: BTreeMap<String, String>,
        pictures: Pictures,
        task: Option<String>,
    ) -> Result<Self, Failure> {
        let policy = Elsewhere::meet(network, name, robot)?;
        let about = policy.about();
        let pictures = if about.images == "jpeg" { pictures } else { Pictures::Raw };
        let (rows, width) = (count(about.rows), count(about.width));
        let averages = about.averaged.map(|weight| Ensemble::new(weight, rows, width));
        let inputs = about.inputs.iter().map(|input| {
            let shape = input.shape.iter().copied().map(count).collect();
            (input.name.clone(), Feature { kind: kind(&input.name, &input.shape), shape })
        });
        let inputs = inputs.collect();
        Ok(Self { policy, inputs, names, pictures, task, averages })
    }

    /// What it is called, with where it is.
    pub fn name(&self) -> String {
        format!("zenoh://{}@{}", self.policy.about().name, self.policy.at())
    }

    /// What it looks at.
    #[cfg(feature = "sim")]
    pub fn inputs(&self) -> &Features {
        &self.inputs
    }

    /// What it takes and gives beside what is offered.
    pub fn preflight(&self, offered: &Offered) -> Preflight {
        preflight::check(&self.inputs, self.shape().width, &self.before(), offered)
    }

    /// The step before it: what puts its names in the place of ours.
    pub fn before(&self) -> Pipeline {
        let mut before = Pipeline::default();
        before.rename(self.names.clone());
        before
    }

    /// How many actions a second it was trained for, where it says so.
    pub fn rate(&self) -> Option<f64> {
        self.policy.about().fps
    }

    /// Whether it has to be told what is to be done, and is not.
    pub fn wants_a_task(&self) -> bool {
        self.policy.about().task && self.task.is_none()
    }

    /// What is to be known of it before it is asked.
    pub fn shape(&self) -> Shape {
        let about = self.policy.about();
        Shape {
            depth: count(about.frames),
            rows: count(about.rows),
            steps: self.averages.is_none().then_some(count(about.steps)),
            width: count(about.width),
        }
    }

    /// Forgets the chunks that its actions are averages of.
    pub fn reset(&mut self) {
        self.averages.iter_mut().for_each(Ensemble::clear);
    }

    /// One moment as it is told: the joints, what a simulation knows, and the pictures that it looks at.
    pub fn frame<'a>(
        &self,
        state: &[f64],
        truth: &[f64],
        pictures: impl Iterator<Item = (&'a str, &'a Image)>,
    ) -> Result<Frame, Failure> {
        let looked_at = pictures.filter_map(|(name, image)| {
            let name = self.names.get(name).map_or(name, String::as_str);
            self.inputs.iter().any(|(input, _)| input == name).then_some((name, image))
        });
        let images = looked_at.map(|(name, image)| Ok((name.to_owned(), self.view(name, image)?)));
        Ok(Frame {
            state: state.to_vec(),
            environment_state: truth.to_vec(),
            images: images.collect::<Result<_, Failure>>()?,
        })
    }

    fn view(&self, name: &str, image: &Image) -> Result<View, Failure> {
        let image = image.to_rgb();
        let failed = |what: String| Failure::new(Exit::Data, format!("{name}: {what}"));
        if image.format() != PixelFormat::Rgb8 {
            return Err(failed("a policy elsewhere is shown colours alone".into()));
        }
        let (format, data) = match self.pictures {
            Pictures::Jpeg => ("jpeg", jpeg(&image, QUALITY).map_err(failed)?),
            Pictures::Raw => ("rgb8", image.pixels().to_vec()),
        };
        let (width, height) = (image.width(), image.height());
        Ok(View { width, height, format: format.to_owned(), data })
    }

    /// Shows it the newest moments and gives rows, so many at most; none where nobody answered, so that it
    /// is to be asked again.
    pub fn ask(
        &mut self,
        frames: Vec<Frame>,
        rows: usize,
        go_on: impl Fn() -> bool,
    ) -> Result<Option<Vec<f64>>, Failure> {
        let thought = self.policy.ask(self.task.as_deref(), frames, ANSWER, go_on)?;
        let Some(mut thought) = thought else { return Ok(None) };
        let Some(averages) = &mut self.averages else {
            thought.rows.truncate(rows.saturating_mul(count(thought.width)));
            return Ok(Some(thought.rows));
        };
        let chunk: Vec<f32> = thought.rows.iter().map(|value| *value as f32).collect();
        Ok(Some(averages.update(&chunk)?.iter().map(|value| f64::from(*value)).collect()))
    }

    /// The same where whoever asks has nothing else to do: as often as it takes, while there is patience.
    #[cfg(feature = "sim")]
    pub fn wait(&mut self, frames: &[Frame], rows: usize) -> Result<Vec<f64>, Failure> {
        let clock = Clock::Real;
        let began = clock.now();
        loop {
            if let Some(rows) = self.ask(frames.to_vec(), rows, || true)? {
                return Ok(rows);
            }
            if clock.now() - began >= PATIENCE {
                return Err(silent(&self.name()));
            }
            clock.sleep(100 * MILLI);
        }
    }
}

/// What LeRobot's names say of a feature.
fn kind(name: &str, shape: &[u64]) -> FeatureKind {
    match name {
        _ if shape.len() == 3 => FeatureKind::Visual,
        "observation.environment_state" => FeatureKind::Env,
        _ => FeatureKind::State,
    }
}

/// A count that a message's check has bounded.
fn count(count: u64) -> usize {
    usize::try_from(count).unwrap_or(usize::MAX)
}
