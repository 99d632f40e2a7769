//! Diffusion policy, with every switch that its configuration has: its three graphs, its scheduler
//! and its framing of images, under the noise that torch drew.

use std::collections::BTreeMap;

use sinew_policies::config::DiffusionConfig;
use sinew_policies::diffusion::{Graphs, Scheduler};
use sinew_policies::{Config, Device, Program};

use crate::case::Case;
use crate::run::{DEVICES, compare, compare_module, compile, run};

pub const CASES: [&str; 18] = [
    "diffusion_ddpm_crop",
    "diffusion_ddim_2cam_shared",
    "diffusion_envstate",
    "diffusion_ddpm100_2cam_separate",
    "diffusion_sample_linear_resize",
    "diffusion_ddim_sample",
    "diffusion_ddim_linear_unclipped",
    "diffusion_ddpm_scaled_linear",
    "diffusion_narrow_clip",
    "diffusion_one_observation",
    "diffusion_three_observations",
    "diffusion_one_level",
    "diffusion_group_norm",
    "diffusion_resnet34",
    "diffusion_resnet50",
    "diffusion_mean_std",
    "diffusion_full_size",
    "diffusion_arm",
];

struct Network<'a> {
    config: &'a DiffusionConfig,
    scheduler: Scheduler,
    films: usize,
    encode: Program,
    modulate: Program,
    denoise: Program,
}

impl<'a> Network<'a> {
    fn new(case: &Case, config: &'a DiffusionConfig, device: Device) -> Self {
        let tensors = case.tensors();
        let scheduler = Scheduler::new(config);
        let mut graphs = Graphs::new(config, &tensors, &scheduler.times(), 1).unwrap();
        for module in case.modules() {
            let found = [&mut graphs.encode, &mut graphs.modulate, &mut graphs.denoise]
                .map(|graph| graph.expose(&module));
            assert_eq!(found.iter().filter(|found| **found).count(), 1, "{module}");
        }
        let left = tensors.left_over();
        let program = |graph| compile(graph, &tensors, device);
        let network = Self {
            config,
            scheduler,
            films: graphs.films,
            encode: program(&graphs.encode),
            modulate: program(&graphs.modulate),
            denoise: program(&graphs.denoise),
        };
        let missed: Vec<_> =
            left.iter().filter(|tensor| !tensor.ends_with("num_batches_tracked")).collect();
        assert!(missed.is_empty(), "{}: {missed:?}", case.name);
        network
    }

    /// All actions of the horizon, and what the modules gave at the first step.
    fn sample(
        &mut self,
        inputs: &BTreeMap<String, Vec<f32>>,
        drawn: Vec<Vec<f32>>,
        modules: &[String],
    ) -> (Vec<f32>, BTreeMap<String, Vec<f32>>) {
        run(&mut self.encode, inputs);
        let condition = self.encode.output("condition").unwrap();
        self.modulate.input("condition").unwrap().copy_from_slice(condition);
        self.modulate.run().unwrap();
        let mut drawn = drawn.into_iter();
        let mut sample = drawn.next().unwrap();
        let mut given = BTreeMap::new();
        for nth in 0..self.scheduler.times().len() {
            for film in (0..self.films).map(|film| format!("film{film}")) {
                let rows = self.modulate.output(&film).unwrap();
                let told = self.denoise.input(&film).unwrap();
                let length = told.len();
                told.copy_from_slice(&rows[nth * length..][..length]);
            }
            self.denoise.input("sample").unwrap().copy_from_slice(&sample);
            self.denoise.run().unwrap();
            for module in modules.iter().filter(|_| nth == 0) {
                let parts = [&self.encode, &self.modulate, &self.denoise];
                let values = parts.iter().find_map(|part| part.output(module).ok()).unwrap();
                given.insert(module.clone(), values.to_vec());
            }
            let noise = match self.scheduler.draws(nth) {
                true => drawn.next().unwrap(),
                false => Vec::new(),
            };
            let answer = self.denoise.output("answer").unwrap();
            self.scheduler.step(nth, answer, &noise, &mut sample);
        }
        assert!(drawn.next().is_none(), "torch drew more");
        (sample, given)
    }

    /// The actions that are carried out.
    fn chunk(&self, sample: &[f32]) -> Vec<f32> {
        let length = self.config.common.action_dim();
        let from = self.config.common.n_obs_steps - 1;
        sample[from * length..][..self.config.n_action_steps * length].to_vec()
    }
}

#[test]
fn chunks_are_lerobots() {
    for name in CASES {
        let case = Case::open(name);
        let Config::Diffusion(config) = &case.config else { panic!("{name} is no Diffusion") };
        let modules = case.modules();
        for &device in DEVICES {
            let mut network = Network::new(&case, config, device);
            let (mut actions, mut inside) = (0.0_f32, 0.0_f32);
            let (length, count) = (config.common.action_dim(), config.n_action_steps);
            for step in (0..case.steps()).step_by(count) {
                let drawn = case.drawn(step);
                let (sample, given) =
                    network.sample(&case.inputs(&config.framing(), step), drawn, &modules);
                let chunk = network.chunk(&sample);
                for (module, values) in given.iter().filter(|_| step == 0) {
                    let mut theirs = case.module(module);
                    let what = format!("{name} on {device:?}, {module}");
                    // A network that serves all cameras sees them in turns at every time.
                    let cameras = (theirs.len() / values.len()).max(1);
                    if cameras > 1 {
                        let rows =
                            theirs.chunks(theirs.len() / (cameras * config.common.n_obs_steps));
                        theirs = rows.step_by(cameras).flatten().copied().collect();
                    }
                    // And what belongs to the steps is made for all of them at once.
                    let ours = &values[..theirs.len()];
                    inside = inside.max(compare_module(ours, &theirs, &what));
                }
                for (nth, action) in chunk.chunks_exact(length).enumerate() {
                    let key = format!("step{}/action", step + nth);
                    let what = format!("{name} on {device:?}, action {}", step + nth);
                    if case.outputs.contains(&key) {
                        let theirs = case.outputs.read(&key).unwrap();
                        actions = actions.max(compare(action, &theirs, &what));
                    }
                }
                if step == 0 && count > 1 {
                    let theirs = case.outputs.read("step0/queue_rest").unwrap();
                    let what = format!("{name} on {device:?}, the actions to come");
                    actions = actions.max(compare(&chunk[length..], &theirs, &what));
                }
            }
            println!("{name:32} {device:?}: actions {actions:.1e}, inside {inside:.1e}");
        }
    }
}
