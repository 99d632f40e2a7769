//! The last few observations, checked and kept until a chunk is made of them.

use super::observation::{Image, Observation, Seen};
use crate::config::{Config, Feature, FeatureKind};
use crate::error::{Error, Result};
use crate::processor::{Pipeline, Pixels, STATE};
use crate::vision::Framing;

/// The last observations of every input that the network takes. The first one of an episode stands
/// for those before it.
pub(super) struct History {
    inputs: Vec<Input>,
    steps: usize,
    /// Where the next one goes.
    next: usize,
    begun: bool,
    /// No image of the observation before was kept.
    gap: bool,
}

/// An input's last observations, one behind the other.
struct Input {
    name: String,
    /// What it may be called before the steps rename it.
    sources: Vec<String>,
    kept: Kept,
}

enum Kept {
    /// Numbers as the steps left them.
    Numbers { one: usize, ring: Vec<f32> },
    /// Bytes as the camera gave them; they become numbers when a chunk is made.
    Image { height: usize, width: usize, pixels: Pixels, framing: Option<Framed>, ring: Vec<u8> },
}

/// What a network looks at in an image, and room for the whole of it.
struct Framed {
    framing: Framing,
    whole: Vec<f32>,
}

impl History {
    /// For what LeRobot's networks take: the joints, a simulation's knowledge, and all cameras.
    pub(super) fn new(config: &Config, before: &Pipeline) -> Result<Self> {
        let common = config.common();
        let steps = common.n_obs_steps;
        let taken = |(name, feature): &&(String, Feature)| match feature.kind {
            FeatureKind::State => name == STATE,
            FeatureKind::Env | FeatureKind::Visual => true,
            _ => false,
        };
        let framing = match config {
            Config::Diffusion(config) => Some(config.framing()),
            Config::VqBet(config) => Some(config.framing()),
            Config::Act(_) | Config::Tdmpc(_) => None,
        };
        let inputs = common.inputs.iter().filter(taken).map(|(name, feature)| {
            let framing = framing.clone().filter(|_| feature.kind == FeatureKind::Visual);
            Input::new(name, feature, framing, before, steps)
        });
        Ok(Self {
            inputs: inputs.collect::<Result<_>>()?,
            steps,
            next: 0,
            begun: false,
            gap: false,
        })
    }

    /// Whether one of the inputs may be called so.
    pub(super) fn takes(&self, name: &str) -> bool {
        self.inputs.iter().any(|input| input.sources.iter().any(|source| source == name))
    }

    /// Forgets everything.
    pub(super) fn clear(&mut self) {
        self.begun = false;
        self.next = 0;
    }

    /// Takes one more observation, or says what about it is not as it was in training. Its images are kept
    /// if they are wanted; the first ones after a gap stand for those before them.
    pub(super) fn observe(
        &mut self,
        seen: &Observation<'_>,
        before: &mut Pipeline,
        images: bool,
    ) -> Result<()> {
        for input in &mut self.inputs {
            let found = seen.iter().find(|(name, _)| input.sources.iter().any(|one| one == name));
            let Some((source, seen)) = found else { return Err(input.missing(seen)) };
            input.keep(self.next, source, seen, before, images)?;
        }
        for input in &mut self.inputs {
            let first = match input.kept {
                Kept::Numbers { .. } => !self.begun,
                Kept::Image { .. } => images && (self.gap || !self.begun),
            };
            if first {
                let others = (0..self.steps).filter(|at| *at != self.next);
                others.for_each(|at| input.kept.copy(self.next, at));
            }
        }
        (self.begun, self.gap) = (true, !images);
        self.next = (self.next + 1) % self.steps;
        Ok(())
    }

    /// Writes all observations, the oldest first, to where the network takes them: `to` finds the
    /// place by the input's name and lets it be written.
    pub(super) fn write(
        &mut self,
        mut to: impl FnMut(&str, &mut dyn FnMut(&mut [f32]) -> Result<()>) -> Result<()>,
    ) -> Result<()> {
        let (next, steps) = (self.next, self.steps);
        for Input { name, kept, .. } in &mut self.inputs {
            to(name, &mut |into| {
                if into.len() != steps * kept.written() {
                    let what =
                        format!("{} instead of {steps} times {}", into.len(), kept.written());
                    return Err(Error::Network { node: name.clone(), what });
                }
                let mut places = into.chunks_exact_mut(kept.written()).enumerate();
                places.try_for_each(|(order, into)| kept.write((next + order) % steps, into))
            })?;
        }
        Ok(())
    }

    /// The newest numbers of every input that is no image, as the network gets them.
    pub(super) fn newest(&self) -> impl Iterator<Item = (&str, &[f32])> {
        let at = (self.next + self.steps - 1) % self.steps;
        self.inputs.iter().filter_map(move |input| match &input.kept {
            Kept::Numbers { one, ring } => Some((input.name.as_str(), &ring[at * one..][..*one])),
            Kept::Image { .. } => None,
        })
    }
}

impl Input {
    fn new(
        name: &str,
        feature: &Feature,
        framing: Option<Framing>,
        before: &Pipeline,
        steps: usize,
    ) -> Result<Self> {
        let sources = before.sources(name);
        let Some(source) = sources.first() else {
            let what = "is renamed to something else, and nothing is renamed to it".to_owned();
            return Err(Error::Input { feature: name.to_owned(), what });
        };
        let one = feature.numbers();
        let kept = match feature.image() {
            Some([3, height, width]) => Kept::Image {
                height,
                width,
                pixels: before.pixels(source, 3),
                framing: framing
                    .filter(|framing| framing.changes())
                    .map(|framing| Framed { framing, whole: vec![0.0; one] }),
                ring: vec![0; one * steps],
            },
            Some([channels, ..]) => {
                let what = format!("has {channels} channels, and images of 3 are shown");
                return Err(Error::Input { feature: name.to_owned(), what });
            }
            None => Kept::Numbers { one, ring: vec![0.0; one * steps] },
        };
        Ok(Self { name: name.to_owned(), sources, kept })
    }

    fn keep(
        &mut self,
        at: usize,
        source: &str,
        seen: &Seen<'_>,
        before: &mut Pipeline,
        images: bool,
    ) -> Result<()> {
        let wrong = |what: String| Err(Error::Input { feature: source.to_owned(), what });
        match (&mut self.kept, seen) {
            (Kept::Numbers { one, ring }, Seen::Numbers(numbers)) => {
                if numbers.len() != *one {
                    return wrong(format!("has {} numbers, and {one} were trained", numbers.len()));
                }
                if let Some(at) = numbers.iter().position(|number| !number.is_finite()) {
                    return wrong(format!("holds {} at {at}", numbers[at]));
                }
                let ring = &mut ring[at * *one..][..*one];
                ring.copy_from_slice(numbers);
                before.observation(source, ring)
            }
            (Kept::Image { height, width, ring, .. }, Seen::Image(image)) => {
                let Image { width: wide, height: high, rgb } = *image;
                if (wide, high) != (*width, *height) {
                    return wrong(format!("is {wide}x{high}, and {width}x{height} was trained"));
                }
                let one = *height * *width * 3;
                if rgb.len() != one {
                    let found = rgb.len();
                    return wrong(format!("has {found} bytes, and {wide}x{high} in RGB are {one}"));
                }
                if images {
                    ring[at * one..][..one].copy_from_slice(rgb);
                }
                Ok(())
            }
            (Kept::Numbers { .. }, Seen::Image(_)) => {
                wrong("is an image, and numbers were trained".to_owned())
            }
            (Kept::Image { .. }, Seen::Numbers(_)) => {
                wrong("is numbers, and an image was trained".to_owned())
            }
        }
    }

    fn missing(&self, seen: &Observation<'_>) -> Error {
        let names: Vec<_> = seen.iter().map(|(name, _)| *name).collect();
        let what = match self.sources.as_slice() {
            [one] if *one == self.name => format!("is missing among {}", names.join(", ")),
            sources => {
                format!("is missing: none of {} is among {}", sources.join(", "), names.join(", "))
            }
        };
        Error::Input { feature: self.name.clone(), what }
    }
}

impl Kept {
    /// How many numbers or bytes one observation of it is.
    fn one(&self) -> usize {
        match self {
            Self::Numbers { one, .. } => *one,
            Self::Image { height, width, .. } => height * width * 3,
        }
    }

    /// How many numbers the network gets of one.
    fn written(&self) -> usize {
        match self {
            Self::Image { framing: Some(framed), .. } => {
                framed.framing.size().iter().product::<usize>() * 3
            }
            _ => self.one(),
        }
    }

    fn copy(&mut self, from: usize, to: usize) {
        let one = self.one();
        let from = from * one..(from + 1) * one;
        match self {
            Self::Numbers { ring, .. } => ring.copy_within(from, to * one),
            Self::Image { ring, .. } => ring.copy_within(from, to * one),
        }
    }

    fn write(&mut self, at: usize, into: &mut [f32]) -> Result<()> {
        let one = self.one();
        match self {
            Self::Numbers { ring, .. } => into.copy_from_slice(&ring[at * one..][..one]),
            Self::Image { pixels, ring, framing: None, .. } => {
                pixels.write(&ring[at * one..][..one], into);
            }
            Self::Image { pixels, ring, framing: Some(Framed { framing, whole }), .. } => {
                pixels.write(&ring[at * one..][..one], whole);
                framing.frame(whole, into)?;
            }
        }
        Ok(())
    }
}
