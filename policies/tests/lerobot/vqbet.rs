//! VQ-BeT with both ways of drawing codes, under the draws that torch made.

use std::collections::BTreeMap;

use sinew_policies::Config;
use sinew_policies::vqbet::{self, Book, Graphs, LAYERS};

use crate::case::Case;
use crate::run::{DEVICES, compare, compare_module, compile, run};

pub const CASES: [&str; 6] = [
    "vqbet_tiny",
    "vqbet_sequential",
    "vqbet_other_sizes",
    "vqbet_group_norm",
    "vqbet_resnet34",
    "vqbet_arm",
];

#[test]
fn chunks_are_lerobots() {
    for name in CASES {
        let case = Case::open(name);
        let Config::VqBet(config) = &case.config else { panic!("{name} is no VQ-BeT") };
        let tensors = case.tensors();
        let book = Book::read(config, &tensors).unwrap();
        let mut graphs = Graphs::new(config, &tensors).unwrap();
        let modules = case.modules();
        for module in &modules {
            assert!(graphs.look.expose(module), "{name} has no {module}");
        }
        let times = config.common.n_obs_steps;
        // Torch drew for every query, and the newest observation's is the last but those to come.
        let drawn = case.drawn(0);
        let codes: [usize; LAYERS] = match config.sequentially_select {
            true => [drawn[0][times - 1], drawn[1][times - 1]],
            false => [drawn[0][(times - 1) * LAYERS], drawn[0][(times - 1) * LAYERS + 1]],
        }
        .map(|code| code as usize);
        for &device in DEVICES {
            let mut look = compile(&graphs.look, &tensors, device);
            run(&mut look, &case.inputs(&config.framing(), 0));
            let mut inside = 0.0_f32;
            for module in &modules {
                let mut theirs = case.module(module);
                let ours = look.output(module).unwrap();
                // Queries for actions further ahead tell nothing to those before them.
                theirs.truncate(ours.len());
                let what = format!("{name} on {device:?}, {module}");
                inside = inside.max(compare_module(ours, &theirs, &what));
            }
            let mut first = look.output("logits").unwrap()[..config.vqvae_n_embed].to_vec();
            book.likelihoods(&mut first);
            assert!((first.iter().sum::<f32>() - 1.0).abs() < 1e-5);
            if let Some(second) = &graphs.second {
                let mut chosen = vec![0.0; config.vqvae_n_embed];
                chosen[codes[0]] = 1.0;
                let features = look.output("features").unwrap().to_vec();
                let inputs = [("features", features), ("chosen", chosen)];
                let inputs = inputs.map(|(name, numbers)| (name.to_owned(), numbers));
                let mut second = compile(second, &tensors, device);
                run(&mut second, &BTreeMap::from(inputs));
                assert_eq!(second.output("logits").unwrap().len(), config.vqvae_n_embed);
            }
            let mut decode = compile(&graphs.decode, &tensors, device);
            book.look_up(codes, decode.input("code").unwrap());
            decode.run().unwrap();
            let mut actions = decode.output("actions").unwrap().to_vec();
            book.add_offsets(codes, look.output("offsets").unwrap(), &mut actions);
            let length = config.common.action_dim();
            let what = format!("{name} on {device:?}");
            let theirs = case.outputs.read("step0/action").unwrap();
            let now = compare(&actions[..length], &theirs, &what);
            let theirs = case.outputs.read("step0/queue_rest").unwrap();
            let then = compare(&actions[length..], &theirs, &what);
            println!("{name:32} {device:?}: actions {:.1e}, inside {inside:.1e}", now.max(then));
        }
        let left = tensors.left_over();
        let missed: Vec<_> = left
            .iter()
            .filter(|tensor| {
                !vqbet::for_training(tensor) && !tensor.ends_with("num_batches_tracked")
            })
            .collect();
        assert!(missed.is_empty(), "{name}: {missed:?}");
    }
}
