//! Curves and sums over a row of numbers, written once: compiled as they are for every processor,
//! and again with wide registers where the processor has them.

use super::norms::Scales;
use crate::graph::Activation;

/// Numbers that are worked on side by side; the sum of a row has so many partial sums.
const SIDE: usize = 16;

/// `a · b + c`, rounded once where that is one instruction.
#[inline(always)]
pub fn fma<const FUSED: bool>(a: f32, b: f32, c: f32) -> f32 {
    if FUSED { a.mul_add(b, c) } else { a * b + c }
}

/// e to the power of `x`, within two units in the last place; NaN stays NaN. Beyond what f32 can
/// hold it stops at 87 and -87.
#[inline(always)]
pub fn exp<const FUSED: bool>(x: f32) -> f32 {
    // Adding and taking away 1.5·2²³ rounds to a whole number, which is then in the low bits.
    const ROUND: f32 = 12_582_912.0;
    let x = if x < -87.0 { -87.0 } else { x };
    let x = if x > 87.0 { 87.0 } else { x };
    let shifted = fma::<FUSED>(x, std::f32::consts::LOG2_E, ROUND);
    let whole = shifted - ROUND;
    // ln 2 in two parts, the first of which times a whole number is exact.
    let rest = fma::<FUSED>(whole, -0.693_145_75, x);
    let rest = fma::<FUSED>(whole, -1.428_606_8e-6, rest);
    let mut sum = 1.0 / 720.0;
    for factor in [1.0 / 120.0, 1.0 / 24.0, 1.0 / 6.0, 0.5, 1.0, 1.0] {
        sum = fma::<FUSED>(sum, rest, factor);
    }
    sum * f32::from_bits(shifted.to_bits().wrapping_sub(0x4B40_0000 - 127) << 23)
}

#[inline(always)]
fn relu(x: f32) -> f32 {
    if x < 0.0 { 0.0 } else { x }
}

#[inline(always)]
fn sigmoid<const FUSED: bool>(x: f32) -> f32 {
    1.0 / (1.0 + exp::<FUSED>(-x))
}

#[inline(always)]
fn silu<const FUSED: bool>(x: f32) -> f32 {
    x / (1.0 + exp::<FUSED>(-x))
}

#[inline(always)]
fn elu<const FUSED: bool>(x: f32) -> f32 {
    let below = exp::<FUSED>(x) - 1.0;
    if x > 0.0 { x } else { below }
}

/// `(1 - e⁻²ˣ) / (1 + e⁻²ˣ)` on the right side, and the same upside down on the left.
#[inline(always)]
fn tanh<const FUSED: bool>(x: f32) -> f32 {
    let power = exp::<FUSED>(-2.0 * x.abs());
    ((1.0 - power) / (1.0 + power)).copysign(x)
}

/// `x · tanh(ln(1 + eˣ))`, which is `x · n / (n + 2)` with `n = eˣ · (eˣ + 2)`.
#[inline(always)]
fn mish<const FUSED: bool>(x: f32) -> f32 {
    let power = exp::<FUSED>(if x > 20.0 { 20.0 } else { x });
    let n = power * (power + 2.0);
    x * (n / (n + 2.0))
}

/// With Abramowitz and Stegun's 7.1.26 for the error function: within 2e-7 of `x`.
#[inline(always)]
fn gelu<const FUSED: bool>(x: f32) -> f32 {
    let z = x.abs() * std::f32::consts::FRAC_1_SQRT_2;
    let t = 1.0 / fma::<FUSED>(0.327_591_1, z, 1.0);
    let mut sum = 1.061_405_4;
    for factor in [-1.453_152, 1.421_413_8, -0.284_496_72, 0.254_829_6] {
        sum = fma::<FUSED>(sum, t, factor);
    }
    let tail = sum * t * exp::<FUSED>(-z * z);
    // The normal distribution function of |x| is 1 - tail / 2, and that of -|x| is tail / 2.
    let below = 0.5 * tail;
    x * if x < 0.0 { below } else { 1.0 - below }
}

/// Applies a curve to every number.
#[inline(always)]
pub fn curve<const FUSED: bool>(activation: Activation, numbers: &mut [f32]) {
    match activation {
        Activation::Relu => numbers.iter_mut().for_each(|x| *x = relu(*x)),
        Activation::Gelu => numbers.iter_mut().for_each(|x| *x = gelu::<FUSED>(*x)),
        Activation::Mish => numbers.iter_mut().for_each(|x| *x = mish::<FUSED>(*x)),
        Activation::Silu => numbers.iter_mut().for_each(|x| *x = silu::<FUSED>(*x)),
        Activation::Tanh => numbers.iter_mut().for_each(|x| *x = tanh::<FUSED>(*x)),
        Activation::Elu => numbers.iter_mut().for_each(|x| *x = elu::<FUSED>(*x)),
        Activation::Sigmoid => numbers.iter_mut().for_each(|x| *x = sigmoid::<FUSED>(*x)),
    }
}

/// The sum of `each` over a row, in sixteen partial sums.
#[inline(always)]
pub fn sum(numbers: &[f32], each: impl Fn(f32) -> f32) -> f32 {
    let (wide, rest) = numbers.as_chunks::<SIDE>();
    let mut sums = [0f32; SIDE];
    for numbers in wide {
        for (sum, number) in sums.iter_mut().zip(numbers) {
            *sum += each(*number);
        }
    }
    sums.iter().sum::<f32>() + rest.iter().map(|number| each(*number)).sum::<f32>()
}

/// Turns a row into shares of one: `exp(x) / sum of exp`. NaN makes all of them NaN.
#[inline(always)]
pub fn softmax<const FUSED: bool>(row: &mut [f32]) {
    let (wide, rest) = row.as_chunks::<SIDE>();
    let mut greatest = [f32::MIN; SIDE];
    for numbers in wide {
        for (greatest, number) in greatest.iter_mut().zip(numbers) {
            *greatest = if *number > *greatest { *number } else { *greatest };
        }
    }
    let greatest = greatest.iter().chain(rest).fold(f32::MIN, |a, b| if *b > a { *b } else { a });
    let (wide, rest) = row.as_chunks_mut::<SIDE>();
    let mut sums = [0f32; SIDE];
    for numbers in wide {
        for (sum, number) in sums.iter_mut().zip(numbers) {
            *number = exp::<FUSED>(*number - greatest);
            *sum += *number;
        }
    }
    let mut sum: f32 = sums.iter().sum();
    for number in rest {
        *number = exp::<FUSED>(*number - greatest);
        sum += *number;
    }
    let share = 1.0 / sum;
    row.iter_mut().for_each(|number| *number *= share);
}

/// Makes a row's mean 0 and its variance 1, then scales and shifts it.
#[inline(always)]
pub fn normalize<const FUSED: bool>(from: &[f32], into: &mut [f32], scales: &Scales) {
    let Scales { scale, shift, eps } = scales;
    let count = from.len() as f32;
    let mean = sum(from, |x| x) / count;
    let variance = sum(from, |x| (x - mean) * (x - mean)) / count;
    let by = 1.0 / (variance + eps).sqrt();
    for (((into, from), scale), shift) in into.iter_mut().zip(from).zip(scale).zip(shift) {
        *into = fma::<FUSED>((from - mean) * by, *scale, *shift);
    }
}

/// `into = into · scale + shift`, number by number.
#[inline(always)]
pub fn affine<const FUSED: bool>(into: &mut [f32], scale: &[f32], shift: &[f32]) {
    for ((into, scale), shift) in into.iter_mut().zip(scale).zip(shift) {
        *into = fma::<FUSED>(*into, *scale, *shift);
    }
}

/// `into += by`, number by number.
#[inline(always)]
pub fn add(into: &mut [f32], by: &[f32]) {
    into.iter_mut().zip(by).for_each(|(into, by)| *into += by);
}

/// `into *= by`, number by number.
#[inline(always)]
pub fn multiply(into: &mut [f32], by: &[f32]) {
    into.iter_mut().zip(by).for_each(|(into, by)| *into *= by);
}

/// The greatest of what is there and of what the taps have, number by number.
///
/// # Safety
/// Every tap points to as many numbers as there are.
#[inline(always)]
pub unsafe fn greatest(taps: &[*const f32], into: &mut [f32]) {
    let (wide, rest) = into.as_chunks_mut::<SIDE>();
    let done = wide.len() * SIDE;
    for (at, into) in wide.iter_mut().enumerate() {
        let mut most = *into;
        for tap in taps {
            // SAFETY: as the caller promises.
            let numbers = unsafe { tap.add(at * SIDE).cast::<[f32; SIDE]>().read_unaligned() };
            for (most, number) in most.iter_mut().zip(numbers) {
                *most = if *most > number { *most } else { number };
            }
        }
        *into = most;
    }
    for (at, into) in rest.iter_mut().enumerate() {
        for tap in taps {
            // SAFETY: as the caller promises.
            *into = into.max(unsafe { *tap.add(done + at) });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn curves_follow_their_definitions() {
        for step in -4000..4000 {
            let x = step as f32 / 40.0;
            let wide = f64::from(x);
            let power = wide.exp();
            let close = |got: f32, wanted: f64, what: &str| {
                let error = (f64::from(got) - wanted).abs();
                assert!(error <= 3e-7 * wanted.abs().max(1.0), "{what}({x}) = {got}, not {wanted}");
            };
            if (-87.0..87.0).contains(&x) {
                let error = (f64::from(exp::<true>(x)) / power - 1.0).abs();
                assert!(error < 2.5e-7, "exp({x}) is off by {error:e}");
                let error = (f64::from(exp::<false>(x)) / power - 1.0).abs();
                assert!(error < 2.5e-7, "exp({x}) unfused is off by {error:e}");
            }
            close(silu::<true>(x), wide / (1.0 + (-wide).exp()), "silu");
            close(mish::<true>(x), wide * power.ln_1p().min(1e3).tanh(), "mish");
            close(tanh::<true>(x), wide.tanh(), "tanh");
            close(tanh::<false>(x), wide.tanh(), "tanh unfused");
            close(elu::<true>(x), if x > 0.0 { wide } else { power - 1.0 }, "elu");
            close(elu::<false>(x), if x > 0.0 { wide } else { power - 1.0 }, "elu unfused");
            close(sigmoid::<true>(x), 1.0 / (1.0 + (-wide).exp()), "sigmoid");
            close(sigmoid::<false>(x), 1.0 / (1.0 + (-wide).exp()), "sigmoid unfused");
            let gelu_wanted = crate::graph::naive::gelu(wide);
            let error = (f64::from(gelu::<true>(x)) - gelu_wanted).abs();
            assert!(error <= 3e-7 * wide.abs().max(1.0), "gelu({x}) is off by {error:e}");
        }
    }

    #[test]
    fn what_is_no_number_stays_so() {
        assert!(exp::<true>(f32::NAN).is_nan());
        let mut row = [1.0, f32::NAN, 2.0];
        softmax::<true>(&mut row);
        assert!(row.iter().all(|share| share.is_nan()));
        for activation in Activation::ALL {
            let mut row = [f32::NAN];
            curve::<false>(activation, &mut row);
            assert!(row[0].is_nan(), "{activation:?}");
        }
    }
}
