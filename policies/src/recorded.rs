//! A policy run over observations that were recorded, beside whatever random numbers were drawn
//! then: what LeRobot answered to them can be compared with what comes out here.
//!
//! In: `stepN/raw/KEY` (numbers), `stepN/raw_u8/KEY` (images of bytes, channels first) and
//! `stepN/rng/III_FUNCTION`. Out: `stepN/pre/KEY`, `stepN/chunk`, `stepN/action`,
//! `stepN/action_post`. Every step is taken in its order, with one queue for all.

use std::collections::BTreeMap;

use crate::checkpoint::{Named, Tensors};
use crate::config::Config;
use crate::draws::Draws;
use crate::error::{Error, Result};
use crate::policy::{Image, Policy, Seen};

/// What was recorded of one step.
#[derive(Default)]
struct Step {
    numbers: Vec<(String, Vec<f32>)>,
    images: Vec<(String, [usize; 2], Vec<u8>)>,
    draws: Vec<Vec<f32>>,
}

/// Runs a policy over all steps from a fresh episode on. `watch` learns of each step that is done.
pub fn run(
    policy: &mut Policy,
    inputs: &Tensors,
    watch: &mut dyn FnMut(usize),
) -> Result<Vec<Named>> {
    let mut outputs = Vec::new();
    policy.reset();
    for (at, step) in &steps(inputs)? {
        answer(policy, *at, step, &mut outputs)?;
        watch(*at);
    }
    match outputs.is_empty() {
        false => Ok(outputs),
        true => Err(Error::Malformed {
            what: "there is no step0/raw/… and no step0/raw_u8/… in it".to_owned(),
            path: inputs.path().to_owned(),
        }),
    }
}

fn answer(policy: &mut Policy, at: usize, step: &Step, outputs: &mut Vec<Named>) -> Result<()> {
    let numbers =
        step.numbers.iter().map(|(name, numbers)| (name.as_str(), Seen::Numbers(numbers)));
    let images = step.images.iter().map(|(name, [height, width], rgb)| {
        (name.as_str(), Seen::Image(Image { width: *width, height: *height, rgb }))
    });
    let seen: Vec<_> = numbers.chain(images).collect();
    if !step.draws.is_empty() {
        policy.draw_from(Draws::Recorded(step.draws.clone().into()));
    }
    let action = policy.select_action(&seen)?;
    let (raw, goal, fresh) = (action.raw.to_vec(), action.goal.to_vec(), action.fresh);
    let mut put = |name: &str, shape: Vec<usize>, numbers: Vec<f32>| {
        outputs.push(Named { name: format!("step{at}/{name}"), shape, numbers });
    };
    for (name, numbers) in policy.observed() {
        put(&format!("pre/{name}"), vec![1, numbers.len()], numbers.to_vec());
    }
    // LeRobot's ACT can be asked for a chunk at every step, whatever is in the queue.
    let ask = matches!(policy.config(), Config::Act(_)) && !fresh;
    if fresh || ask {
        if ask {
            // Of an observation whose action was there already, no image was kept.
            policy.observe(&seen)?;
        }
        let chunk = if ask { policy.make_chunk()?.to_vec() } else { policy.chunk().to_vec() };
        put("chunk", vec![1, chunk.len() / raw.len().max(1), raw.len()], chunk);
    }
    put("action", vec![1, raw.len()], raw);
    put("action_post", vec![1, goal.len()], goal);
    Ok(())
}

/// What was recorded, by step.
fn steps(inputs: &Tensors) -> Result<BTreeMap<usize, Step>> {
    let mut steps = BTreeMap::<usize, Step>::new();
    // It is no checkpoint whose weights would be at fault.
    let wrong =
        |error: Error| Error::Malformed { what: error.to_string(), path: inputs.path().to_owned() };
    let mut names: Vec<String> = inputs.names().collect();
    names.sort();
    for tensor in names {
        let parts = tensor.strip_prefix("step").and_then(|rest| {
            let (at, rest) = rest.split_once('/')?;
            let (kind, name) = rest.split_once('/')?;
            Some((at.parse::<usize>().ok()?, kind, name.to_owned()))
        });
        let Some((at, kind, name)) = parts else { continue };
        match kind {
            "raw" => steps
                .entry(at)
                .or_default()
                .numbers
                .push((name, inputs.read(&tensor).map_err(wrong)?)),
            "raw_u8" => {
                let [channels, height, width] = inputs.dims::<3>(&tensor).map_err(wrong)?;
                let bytes = inputs.bytes(&tensor).map_err(wrong)?;
                let rgb = channels_last(bytes, channels);
                steps.entry(at).or_default().images.push((name, [height, width], rgb));
            }
            "rng" if name.contains("randn") => {
                steps.entry(at).or_default().draws.push(inputs.read(&tensor).map_err(wrong)?);
            }
            "rng" if name.contains("multinomial") || name.contains("randint") => {
                steps.entry(at).or_default().draws.push(inputs.choices(&tensor).map_err(wrong)?);
            }
            _ => {}
        }
    }
    Ok(steps)
}

fn channels_last(bytes: &[u8], channels: usize) -> Vec<u8> {
    let pixels = bytes.len().checked_div(channels).unwrap_or(0);
    let channel = |pixel: usize| (0..channels).map(move |channel| bytes[channel * pixels + pixel]);
    (0..pixels).flat_map(channel).collect()
}
