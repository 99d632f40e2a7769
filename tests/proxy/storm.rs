//! Everything that can go wrong, in turns that a seed decides.

use super::{Fault, Question, answer};

/// A plan in which one question of so many goes wrong; the same seed makes the same throws.
pub fn storm(seed: u64, one_of: u32) -> impl FnMut(&Question) -> Option<Fault> + Send + 'static {
    let mut dice = fastrand::Rng::with_seed(seed);
    move |question| (dice.u32(..one_of) == 0).then(|| fault(&mut dice, question))
}

fn fault(dice: &mut fastrand::Rng, question: &Question) -> Fault {
    let at = dice.u64(..=question.length);
    match dice.u8(..24) {
        0..3 => Fault::CutQuestion(at),
        3 => Fault::CutAnswer(0),
        4..6 => Fault::CutAnswer(dice.u64(..600)),
        6 => Fault::Say(answer(429, &["RateLimit: \"api\";r=0;t=0"])),
        7 => Fault::Say(answer(429, &["Retry-After: 0"])),
        8 => Fault::Say(answer([500, 502, 503, 504][dice.usize(..4)], &[])),
        9 => Fault::SayEarly(answer(503, &["Connection: close"])),
        10 => Fault::Silence,
        11..13 => Fault::Trickle,
        13 => Fault::Header("Date", "Thu, 01 Jan 1970 00:00:00 GMT".into()),
        14 => Fault::Header("Date", "Fri, 31 Dec 9999 23:59:59 GMT".into()),
        // Parts and whole files are known by their hashes, a commit is not.
        15..17 if question.method == "PUT" => Fault::FlipQuestion(at),
        17..19 => Fault::FlipAnswer(dice.u64(..)),
        19..21 => Fault::SayEarly(answer(500, &["Connection: close"])),
        _ => Fault::CutQuestion(at / 2),
    }
}
