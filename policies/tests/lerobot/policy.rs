//! Whole policies: from a folder and raw observations to actions in the robot's units, through every
//! kind of scaling, queue, ensemble, history and storage.

use sinew_policies::Options;
use sinew_policies::draws::Draws;
use sinew_policies::policy::{Image, Policy, Seen};

use crate::case::Case;
use crate::run::{DEVICES, compare};
use crate::{act, diffusion, tdmpc, vqbet};

#[test]
fn actions_are_lerobots() {
    let chunks = act::CASES.iter().chain(&diffusion::CASES);
    let cases = chunks.chain(&vqbet::CASES).chain(&tdmpc::CASES);
    for name in cases.filter(|name| !name.ends_with("full_size")) {
        let case = Case::open(name);
        for &device in DEVICES {
            let mut policy = Policy::load(&case.folder, device, &Options::default()).unwrap();
            assert_eq!(policy.audit().warnings(), [""; 0], "{name}");
            let (mut raw, mut goals) = (0.0_f32, 0.0_f32);
            for step in 0..case.steps() {
                let drawn = case.drawn(step);
                if !drawn.is_empty() {
                    policy.draw_from(Draws::Recorded(drawn.into()));
                }
                let vectors = case.vectors(step);
                let pictures = case.pictures(step);
                let vectors =
                    vectors.iter().map(|(name, numbers)| (name.as_str(), Seen::Numbers(numbers)));
                let pictures = pictures.iter().map(|(name, [height, width], rgb)| {
                    (name.as_str(), Seen::Image(Image { width: *width, height: *height, rgb }))
                });
                let seen: Vec<_> = vectors.chain(pictures).collect();
                let action = policy.select_action(&seen).unwrap();
                let what = format!("{name} on {device:?}, step {step}");
                let theirs = case.outputs.read(&format!("step{step}/action")).unwrap();
                raw = raw.max(compare(action.raw, &theirs, &what));
                let theirs = case.outputs.read(&format!("step{step}/action_post")).unwrap();
                goals = goals.max(compare(action.goal, &theirs, &what));
            }
            println!("{name:32} {device:?}: actions {raw:.1e}, in the robot's units {goals:.1e}");
        }
    }
}
