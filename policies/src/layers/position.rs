//! Where a token, a pixel or a denoising step stands, as numbers. In 32 bits throughout, as torch.

use std::f32::consts::TAU;

/// How much slower the slowest wave is than the fastest.
const TEMPERATURE: f32 = 10_000.0;

/// ACT's waves over a feature map: `[height · width, 2 · half]`, the half for rows before the half
/// for columns. Positions run from above 0 to 2π whatever the size.
#[must_use]
pub fn image_waves(height: usize, width: usize, half: usize) -> Vec<f32> {
    let waves: Vec<f32> = (0..half)
        .map(|channel| TEMPERATURE.powf((2 * (channel / 2)) as f32 / half as f32))
        .collect();
    let side = |at: usize, length: usize| {
        let turn = (at + 1) as f32 / (length as f32 + 1e-6) * TAU;
        waves.iter().enumerate().map(move |(channel, wave)| match channel % 2 {
            0 => (turn / wave).sin(),
            _ => (turn / wave).cos(),
        })
    };
    let mut numbers = Vec::with_capacity(height * width * 2 * half);
    for y in 0..height {
        for x in 0..width {
            numbers.extend(side(y, height));
            numbers.extend(side(x, width));
        }
    }
    numbers
}

/// The waves of one step of denoising: `length / 2` sines, then as many cosines.
#[must_use]
pub fn step_waves(step: usize, length: usize) -> Vec<f32> {
    let half = length / 2;
    let slower = f64::from(TEMPERATURE).ln() / (half as f64 - 1.0);
    let turns = (0..half).map(|at| step as f32 * (at as f32 * -slower as f32).exp());
    turns.clone().map(f32::sin).chain(turns.map(f32::cos)).collect()
}
