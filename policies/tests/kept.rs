//! Packed weights that are kept in a file: the same answers from it, and none of it used once the
//! checkpoint is another.
#![allow(clippy::unwrap_used, missing_docs)] // a test that cannot set itself up must fail

use std::fs;
use std::path::{Path, PathBuf};

use sinew_policies::draws::Draws;
use sinew_policies::policy::{Image, Policy, Seen};
use sinew_policies::{Device, Options, Precision};
use tempfile::TempDir;

const GOLDEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/golden/policies");

/// A checkpoint's folder to be changed, and one for its packed weights.
struct Place {
    checkpoint: TempDir,
    keep: TempDir,
}

impl Place {
    fn new(name: &str) -> Self {
        let place =
            Self { checkpoint: tempfile::tempdir().unwrap(), keep: tempfile::tempdir().unwrap() };
        for entry in fs::read_dir(Path::new(GOLDEN).join(name)).unwrap() {
            let path = entry.unwrap().path();
            fs::copy(&path, place.checkpoint.path().join(path.file_name().unwrap())).unwrap();
        }
        place
    }

    fn load(&self, precision: Precision, keep: bool) -> Policy {
        let keep = keep.then(|| self.keep.path().to_owned());
        let options = Options { precision, keep, ..Options::default() };
        Policy::load(self.checkpoint.path(), Device::Cpu, &options).unwrap()
    }

    /// What it does, which is the same from a file.
    fn chunk(&self, precision: Precision, keep: bool) -> Vec<u32> {
        let mut policy = self.load(precision, keep);
        assert_eq!(policy.audit().warnings(), [""; 0]);
        let rgb: Vec<u8> = (0..64 * 64 * 3).map(|at| (at * 7 % 251) as u8).collect();
        let image = Seen::Image(Image { width: 64, height: 64, rgb: &rgb });
        let state = [0.1, 0.4, -0.2, 0.3, 0.0, 0.7];
        let inputs = &policy.config().common().inputs;
        let state_is = inputs.iter().find(|(name, _)| name == "observation.state").unwrap();
        let width = state_is.1.numbers();
        let seen = [
            ("observation.state", Seen::Numbers(&state[..width])),
            ("observation.image", image),
            ("observation.images.top", image),
        ];
        let seen: Vec<_> = seen.into_iter().filter(|(name, _)| policy.takes(name)).collect();
        policy.draw_from(Draws::seeded(5));
        policy.select_action(&seen[..]).unwrap();
        policy.chunk().iter().map(|number| number.to_bits()).collect()
    }

    fn kept(&self) -> Vec<PathBuf> {
        fs::read_dir(self.keep.path()).unwrap().map(|entry| entry.unwrap().path()).collect()
    }
}

#[test]
fn the_answers_are_the_same_from_the_file() {
    for name in ["act_vae_1cam", "diffusion_ddpm_crop"] {
        let place = Place::new(name);
        for (count, precision) in [Precision::F32, Precision::F16].into_iter().enumerate() {
            let fresh = place.chunk(precision, false);
            assert_eq!(place.chunk(precision, true), fresh, "{name} while it is written");
            let kept = place.kept();
            assert_eq!(kept.len(), count + 1, "{kept:?}");
            let written = kept.iter().map(|path| path.metadata().unwrap().modified().unwrap());
            let written: Vec<_> = written.collect();
            assert_eq!(place.chunk(precision, true), fresh, "{name} from the file");
            let now = kept.iter().map(|path| path.metadata().unwrap().modified().unwrap());
            assert_eq!(now.collect::<Vec<_>>(), written, "a good file stays");
        }
    }
}

#[test]
fn what_was_packed_is_used_and_what_is_broken_is_made_again() {
    let place = Place::new("act_vae_1cam");
    let fresh = place.chunk(Precision::F32, true);
    let kept = place.kept().remove(0);
    let mut broken = fs::read(&kept).unwrap();
    let third = broken.len() / 3;
    broken[third] ^= 0x40;
    fs::write(&kept, &broken).unwrap();
    assert_eq!(place.chunk(Precision::F32, true), fresh, "a broken piece is not used");
    assert_eq!(place.kept(), [""; 0].map(PathBuf::from), "nor kept");
    assert_eq!(place.chunk(Precision::F32, true), fresh);
    assert_eq!(place.kept().len(), 1, "it is written anew");
    assert_ne!(fs::read(&kept).unwrap(), broken);
    assert_eq!(place.chunk(Precision::F32, true), fresh, "and good");
    assert_eq!(place.kept(), [kept]);
}

#[test]
fn another_checkpoint_in_the_same_place_is_packed_anew() {
    let place = Place::new("act_vae_1cam");
    let before = place.chunk(Precision::F32, true);
    let model = place.checkpoint.path().join("model.safetensors");
    let age = model.metadata().unwrap().modified().unwrap();
    let mut weights = fs::read(&model).unwrap();
    let header = u64::from_le_bytes(weights[..8].try_into().unwrap()) as usize + 8;
    for number in weights[header..].as_chunks_mut::<4>().0 {
        *number = (f32::from_le_bytes(*number) * 1.01).to_le_bytes();
    }
    fs::write(&model, &weights).unwrap();
    // Not even where size and age are the same.
    fs::File::options().write(true).open(&model).unwrap().set_modified(age).unwrap();
    let after = place.chunk(Precision::F32, true);
    assert_ne!(after, before);
    assert_eq!(after, place.chunk(Precision::F32, false));
    assert_eq!(place.kept().len(), 1, "the new ones take the place of the old");
}
