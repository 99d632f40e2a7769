//! One folder of golden data: a checkpoint, what went in and what came out.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use safetensors::Dtype;
use safetensors::tensor::TensorView;
use serde_json::Value as Json;
use sinew_policies::Config;
use sinew_policies::checkpoint::Tensors;
use sinew_policies::config::Feature;
use sinew_policies::vision::Framing;
use tempfile::TempDir;

use crate::formula;

/// A case, its weights made and its folder complete.
pub struct Case {
    pub name: String,
    pub folder: PathBuf,
    pub config: Config,
    pub inputs: Tensors,
    pub outputs: Tensors,
    _made: TempDir,
}

impl Case {
    pub fn open(name: &str) -> Self {
        let golden =
            PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/golden/policies"));
        let made = TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        for file in std::fs::read_dir(golden.join(name)).unwrap() {
            let file = file.unwrap();
            std::fs::copy(file.path(), made.path().join(file.file_name())).unwrap();
        }
        let folder = made.path().to_owned();
        if !folder.join("model.safetensors").exists() {
            make_weights(&folder);
        }
        let open = |file: &str| Tensors::open(&folder.join(file)).unwrap();
        Self {
            name: name.to_owned(),
            config: Config::open(&folder).unwrap(),
            inputs: open("inputs.safetensors"),
            outputs: open("outputs.safetensors"),
            folder,
            _made: made,
        }
    }

    pub fn tensors(&self) -> Tensors {
        Tensors::open(&self.folder.join("model.safetensors")).unwrap()
    }

    /// What the cameras saw: name, height and width, and bytes, channels last.
    pub fn pictures(&self, step: usize) -> Vec<(String, [usize; 2], Vec<u8>)> {
        let picture = |(key, feature): (&str, &Feature)| {
            let [channels, height, width] = feature.image().unwrap();
            let pixels = formula::image(&format!("{key}:{step}"), channels, height, width);
            (key.to_owned(), [height, width], pixels)
        };
        self.config.common().images().map(picture).collect()
    }

    /// All that was seen but pictures, as the robot gave it.
    pub fn vectors(&self, step: usize) -> Vec<(String, Vec<f32>)> {
        let prefix = format!("step{step}/raw/");
        let names = self.inputs.names();
        let vector = |name: String| {
            Some((name.strip_prefix(&prefix)?.to_owned(), self.inputs.read(&name).unwrap()))
        };
        names.filter_map(vector).collect()
    }

    /// The same as the network takes it. LeRobot's records hold the vectors only.
    pub fn normal_image(&self, key: &str, step: usize) -> Vec<f32> {
        let mut pictures = self.pictures(step).into_iter();
        let (_, _, pixels) = pictures.find(|(name, ..)| name == key).unwrap();
        let mut image: Vec<f32> =
            pixels.into_iter().map(|pixel| f32::from(pixel) / 255.0).collect();
        let file = self.folder.join("policy_preprocessor_step_3_normalizer_processor.safetensors");
        let modes = std::fs::read_to_string(self.folder.join("config.json")).unwrap();
        let modes: Json = serde_json::from_str(&modes).unwrap();
        let stats = file.exists().then(|| Tensors::open(&file).unwrap());
        let stat = |what: &str| match &stats {
            Some(stats) => stats.read(&format!("{key}.{what}")).unwrap(),
            None if what == "mean" => vec![0.485, 0.456, 0.406],
            None => vec![0.229, 0.224, 0.225],
        };
        let channels: Vec<(f32, f32)> = match modes["normalization_mapping"]["VISUAL"].as_str() {
            Some("MEAN_STD") => {
                stat("mean").into_iter().zip(stat("std").iter().map(|std| std + 1e-8)).collect()
            }
            Some("MIN_MAX") => {
                let both = stat("min").into_iter().zip(stat("max"));
                both.map(|(min, max)| (f32::midpoint(min, max), (max - min) / 2.0)).collect()
            }
            _ => vec![(0.0, 1.0); 3],
        };
        for (at, value) in image.iter_mut().enumerate() {
            let (middle, spread) = channels[at % 3];
            *value = (*value - middle) / spread;
        }
        image
    }

    /// The last observations at a step as the network takes them, the oldest first; the first of
    /// all stands for those before it.
    pub fn inputs(&self, framing: &Framing, step: usize) -> BTreeMap<String, Vec<f32>> {
        let common = self.config.common();
        let [height, width] = framing.size();
        let times = (0..common.n_obs_steps).rev().map(|back| step.saturating_sub(back));
        let mut inputs = BTreeMap::<String, Vec<f32>>::new();
        for time in times {
            for (name, feature) in &common.inputs {
                let values = match feature.image() {
                    Some([channels, ..]) => {
                        let mut framed = vec![0.0; height * width * channels];
                        framing.frame(&self.normal_image(name, time), &mut framed).unwrap();
                        framed
                    }
                    None => self.outputs.read(&format!("step{time}/pre/{name}")).unwrap(),
                };
                inputs.entry(name.clone()).or_default().extend(values);
            }
        }
        inputs
    }

    /// How many observations were made.
    pub fn steps(&self) -> usize {
        (0..).take_while(|step| self.outputs.contains(&format!("step{step}/action"))).count()
    }

    /// What the modules gave when they were first called.
    pub fn modules(&self) -> Vec<String> {
        let names = self.outputs.names();
        let mut modules: Vec<_> =
            names.filter_map(|name| Some(name.strip_prefix("act/")?.to_owned())).collect();
        modules.sort();
        modules
    }

    /// What a module gave, channels last.
    pub fn module(&self, name: &str) -> Vec<f32> {
        let key = format!("act/{name}");
        let (values, shape) = (self.outputs.read(&key).unwrap(), self.outputs.shape(&key).unwrap());
        let sequence = name.contains("down_modules");
        match *shape {
            [images, channels, height, width] => turned(&values, images, channels, height * width),
            [images, channels, rows] if sequence => turned(&values, images, channels, rows),
            _ => values,
        }
    }

    /// What torch drew within one step, a tensor for each call.
    pub fn drawn(&self, step: usize) -> Vec<Vec<f32>> {
        let prefix = format!("step{step}/rng/");
        let mut names: Vec<_> =
            self.inputs.names().filter(|name| name.starts_with(&prefix)).collect();
        names.sort();
        let chosen = |name: &str| name.ends_with("multinomial") || name.ends_with("randint");
        let drawn = names.iter().map(|name| match chosen(name) {
            true => self.inputs.choices(name).unwrap(),
            false => self.inputs.read(name).unwrap(),
        });
        drawn.collect()
    }
}

fn turned(values: &[f32], images: usize, channels: usize, places: usize) -> Vec<f32> {
    let mut turned = Vec::with_capacity(values.len());
    for image in 0..images {
        for place in 0..places {
            let of = |channel| values[(image * channels + channel) * places + place];
            turned.extend((0..channels).map(of));
        }
    }
    turned
}

/// Writes `model.safetensors` from `tensors.json` and the formula.
fn make_weights(folder: &Path) {
    let text = std::fs::read_to_string(folder.join("tensors.json")).unwrap();
    let listed: BTreeMap<String, (String, Vec<usize>)> = serde_json::from_str(&text).unwrap();
    let given = folder.join("normalization.safetensors");
    let given = given.exists().then(|| Tensors::open(&given).unwrap());
    let bytes: BTreeMap<&String, (Dtype, Vec<u8>)> = listed
        .iter()
        .map(|(name, (dtype, shape))| {
            let count: usize = shape.iter().product();
            let numbers = || match given.as_ref().filter(|given| given.contains(name)) {
                Some(given) => given.read(name).unwrap(),
                None => formula::weights(name, shape),
            };
            let bytes = match dtype.as_str() {
                "F32" => {
                    let mut bytes = Vec::with_capacity(count * 4);
                    numbers().iter().for_each(|x| bytes.extend_from_slice(&x.to_le_bytes()));
                    (Dtype::F32, bytes)
                }
                "F16" => {
                    let numbers = numbers().into_iter().map(half::f16::from_f32);
                    (Dtype::F16, numbers.flat_map(half::f16::to_le_bytes).collect())
                }
                "BF16" => {
                    let numbers = numbers().into_iter().map(half::bf16::from_f32);
                    (Dtype::BF16, numbers.flat_map(half::bf16::to_le_bytes).collect())
                }
                "I64" => (Dtype::I64, vec![0; count * 8]),
                "I32" => (Dtype::I32, vec![0; count * 4]),
                "BOOL" => (Dtype::BOOL, vec![0; count]),
                other => panic!("{name} is {other}"),
            };
            (name, bytes)
        })
        .collect();
    let views = bytes.iter().map(|(name, (dtype, bytes))| {
        (name.as_str(), TensorView::new(*dtype, listed[*name].1.clone(), bytes).unwrap())
    });
    safetensors::serialize_to_file(views, None, &folder.join("model.safetensors")).unwrap();
}
