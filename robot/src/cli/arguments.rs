//! What was typed, arranged so that LeRobot's spelling and ours mean the same.
//!
//! `_` and `-` are equal in a flag's name, `--policy.FIELD=VALUE` sets a field of a policy's configuration,
//! and a LeRobot flag that means nothing here is taken out with a word of why instead of stopping a
//! command that would run.

use clap::{Arg, Command};

/// Words as the parser wants them, and what to tell about those left out.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Arranged {
    /// The words.
    pub words: Vec<String>,
    /// What was left out, and why.
    pub warnings: Vec<String>,
}

/// LeRobot's flags without a meaning here, by the end of their name, and why.
const NO_MEANING: [(&str, &str); 47] = [
    ("record_time_s", "of each camera one picture is kept"),
    ("warmup_s", "each camera has a second to settle"),
    ("num_read_retries", "every reading is retried within its tick"),
    ("display_mode", "there is one viewer"),
    ("display_compressed_images", "pictures are never sent uncompressed"),
    ("grpc_port", "nothing is served; --connect sends to a viewer that listens"),
    ("web_port", "nothing is served; --connect sends to a viewer that listens"),
    ("cameras", "this command uses no cameras"),
    ("hidapi_fallback", "gamepads are read in one way"),
    ("phone_os", "a phone drives with its browser, whichever it is"),
    ("gripper_open_pos", "the arm's file says where a gripper springs back to"),
    ("push_to_hub", "this command uploads nothing; sinew hub push does"),
    ("private", "this command uploads nothing; sinew hub push does"),
    ("tags", "this command uploads nothing; sinew hub push does"),
    ("num_image_writer_processes", "images go straight to the encoders"),
    ("num_image_writer_threads_per_camera", "images go straight to the encoders"),
    ("streaming_encoding", "videos are always encoded while recording"),
    ("video_encoding_batch_size", "every episode is encoded while it is recorded"),
    ("encoder_queue_maxsize", "what an encoder cannot take at once waits on the disk"),
    ("encoder_threads", "each camera's encoder has a thread of its own"),
    ("pix_fmt", "videos are yuv420p, as LeRobot's"),
    ("video_backend", "there is one reader of videos"),
    ("fast_decode", "the encoder's own setting is used"),
    ("extra_options", "the encoder's own settings are used"),
    ("dataset.fps", "rows come as fast as they were recorded"),
    ("play_sounds", "this command says nothing aloud"),
    ("queue_threshold", "--inference.chunk_size_threshold says when the next chunk is made"),
    ("discover_packages_path", "plug-ins written in Python cannot be loaded"),
    (
        "reset_to_initial_position",
        "between two episodes the arm always goes back to where it began",
    ),
    ("smooth_leader_to_follower_handover", "between two episodes nobody leads the arm"),
    ("autosteer_interval_s", "there is no language model"),
    ("input_device", "the keyboard is what turns are taken with"),
    ("pause_resume", "the space bar and p are"),
    ("correction", "Tab and c are"),
    ("upload", "with --push every episode goes up once it is saved"),
    ("use_amp", "--precision bf16 is what saves time here"),
    ("use_torch_compile", "networks are compiled anyway"),
    ("torch_compile_backend", "networks are compiled anyway"),
    ("torch_compile_mode", "networks are compiled anyway"),
    ("compile_warmup_inferences", "the first chunk takes no longer than the others"),
    ("trust_remote_code", "no code is ever fetched"),
    ("job_name", "--out names the folder"),
    ("use_async_envs", "--parallel says how many attempts go on side by side"),
    ("recording", "--videos keeps what attempts looked like"),
    ("recording_repo_id", "--videos keeps what attempts looked like"),
    ("recording_private", "--videos keeps what attempts looked like"),
    ("device_path", "there is no pedal; the space bar and Tab do the same"),
];

/// The same for all flags of a group.
const GROUPS: [(&str, &str); 2] =
    [("dataset.depth_encoder.", "no camera here gives depth"), ("inference.rtc.", REAL_TIME)];

/// What is said of LeRobot's real-time chunking.
const REAL_TIME: &str = "chunks are joined by --inference.type=async and --aggregate_fn_name, not in real time by the policy";

/// Arranges `words` for `definition`.
pub fn arrange(words: &[String], definition: &Command) -> Arranged {
    let mut arranged = Arranged::default();
    let mut words = words.iter().peekable();
    let mut at = definition;
    let mut arms: Vec<OfOneArm<'_>> = Vec::new();
    // How many words there were when the command was named.
    let mut named = 0;
    while let Some(word) = words.next() {
        if word == "--" {
            arranged.words.push(word.clone());
            arranged.words.extend(words.by_ref().cloned());
            break;
        }
        let Some(typed) = word.strip_prefix("--") else {
            // A line for one of LeRobot's programs, pasted with its name.
            let program = word.strip_prefix("lerobot-").unwrap_or(word);
            if program != word && at.get_name() == program && arranged.words.len() == named {
                continue;
            }
            match at.find_subcommand(program) {
                Some(inner) => {
                    at = inner;
                    arranged.words.push(program.to_owned());
                    named = arranged.words.len();
                }
                None => arranged.words.push(word.clone()),
            }
            continue;
        };
        let (name, value) = typed.split_once('=').map_or((typed, None), |(n, v)| (n, Some(v)));
        let field = name.strip_prefix("policy.").filter(|_| spelled("set", at, at).is_some());
        let known = spelled(name, at, definition);
        let mut value = value;
        if known.is_some() && name == "inference.type" {
            let next = || words.next_if(|next| *next == "rtc").map(String::as_str);
            if value.or_else(next) == Some("rtc") {
                let what = format!("--inference.type=rtc means async here: {REAL_TIME}");
                arranged.warnings.push(what);
                value = Some("async");
            }
        }
        if let Some((known, flag)) = known {
            let value = match value {
                Some(value) => format!("={}", truth(flag, value).unwrap_or(value)),
                None => String::new(),
            };
            arranged.words.push(format!("--{known}{value}"));
            let next = words.peek().and_then(|next| truth(flag, next));
            if let (Some(truth), "") = (next, &*value) {
                words.next();
                arranged.words.push(truth.to_owned());
            }
        } else if let Some(mut one) = OfOneArm::of(name, value, at, definition) {
            if value.is_none()
                && let Some(next) = words.next_if(|next| !next.starts_with("--"))
            {
                one.value = truth(one.flag, next).unwrap_or(next).to_owned();
            }
            // Both arms of a pair are driven alike: what both are given is the pair's.
            match arms.iter().position(|other| other.is_the_other_of(&one)) {
                Some(other) => {
                    arms.remove(other);
                    arranged.words.push(format!("--{}={}", one.known, one.value));
                }
                None => arms.push(one),
            }
        } else if let Some(why) = without_meaning(name) {
            arranged.warnings.push(format!("--{name} has no meaning here: {why}"));
            if value.is_none() && words.peek().is_some_and(|next| !next.starts_with("--")) {
                words.next();
            }
        } else if let Some(field) = field {
            let next = || words.next_if(|next| !next.starts_with("--")).map(String::as_str);
            let (field, value) = (field.replace('-', "_"), value.or_else(next).unwrap_or("true"));
            arranged.words.push(format!("--set={field}={value}"));
        } else {
            arranged.words.push(word.clone());
        }
    }
    for OfOneArm { known, typed, value, .. } in arms {
        arranged.warnings.push(format!(
            "--{typed} of one arm is not known: both arms of a pair are driven alike, and --{known} is for both"
        ));
        arranged.words.push(format!("--{typed}={value}"));
    }
    arranged
}

/// A field of one arm of a pair, as LeRobot has them, that is the pair's here.
struct OfOneArm<'a> {
    /// The pair's flag, and its name.
    flag: &'a Arg,
    known: String,
    is_left: bool,
    /// What was typed.
    typed: String,
    value: String,
}

impl<'a> OfOneArm<'a> {
    fn of(name: &str, value: Option<&str>, at: &'a Command, root: &'a Command) -> Option<Self> {
        let plain = name.replace('-', "_");
        let (group, field) = plain.split_once('.')?;
        let left = field.strip_prefix("left_arm_config.");
        let field = left.or_else(|| field.strip_prefix("right_arm_config."))?;
        let (known, flag) = spelled(&format!("{group}.{field}"), at, root)?;
        let value = value.map_or("true", |value| truth(flag, value).unwrap_or(value)).to_owned();
        Some(Self { flag, known, is_left: left.is_some(), typed: name.to_owned(), value })
    }

    fn is_the_other_of(&self, one: &Self) -> bool {
        self.known == one.known && self.value == one.value && self.is_left != one.is_left
    }
}

/// The flag of this name as it is defined, whichever way its words are joined.
fn spelled<'a>(name: &str, at: &'a Command, root: &'a Command) -> Option<(String, &'a Arg)> {
    let same = |known: &str| {
        known.len() == name.len()
            && known.chars().zip(name.chars()).all(|(a, b)| a == b || (joins(a) && joins(b)))
    };
    let flags = at.get_arguments().chain(root.get_arguments());
    let names = flags.flat_map(|flag| {
        let names = flag.get_long().into_iter().chain(flag.get_all_aliases().unwrap_or_default());
        names.map(move |name| (name, flag))
    });
    names.into_iter().find(|(known, _)| same(known)).map(|(known, flag)| (known.to_owned(), flag))
}

/// What a word means to a flag that is true or false: LeRobot takes Python's and YAML's words for it.
fn truth(flag: &Arg, word: &str) -> Option<&'static str> {
    let words = flag.get_possible_values();
    let is_switch =
        matches!(&words[..], [a, b] if a.matches("true", false) && b.matches("false", false));
    // One that names a file or a viewer otherwise.
    if !is_switch && flag.get_id() != "display" {
        return None;
    }
    match word.to_ascii_lowercase().as_str() {
        "true" | "yes" | "on" => Some("true"),
        "false" | "no" | "off" => Some("false"),
        _ => None,
    }
}

fn joins(letter: char) -> bool {
    matches!(letter, '_' | '-')
}

fn without_meaning(name: &str) -> Option<&'static str> {
    let name = name.replace('-', "_");
    let last = name.rsplit('.').next().unwrap_or(&name);
    let known = NO_MEANING.iter().find(|(known, _)| *known == last || *known == name);
    let group = GROUPS.iter().find(|(group, _)| name.starts_with(group));
    known.or(group).map(|(_, why)| *why)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::definition;

    fn arranged(line: &str) -> Arranged {
        let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
        arrange(&words, &definition())
    }

    #[test]
    fn a_field_of_a_policys_configuration_is_set() {
        let line = "sinew rollout --policy.path=act --policy.n_action_steps=5 --policy.use_amp=true \
                    --policy.crop_is_random false --policy.clip-sample --policy.device=cpu";
        let rollout = arranged(line);
        let set =
            ["--set=n_action_steps=5", "--set=crop_is_random=false", "--set=clip_sample=true"];
        assert_eq!(rollout.words[3..6], set.map(str::to_owned));
        assert_eq!(rollout.words[6..], ["--policy.device=cpu"].map(str::to_owned));
        assert_eq!(rollout.warnings.len(), 1, "{:?}", rollout.warnings);
        // Where nothing is loaded, nothing is set.
        let other = arranged("sinew scan --policy.n_action_steps=5");
        assert_eq!(other.words[2..], ["--policy.n_action_steps=5"].map(str::to_owned));
    }

    #[test]
    fn what_lerobot_alone_has_is_told_and_left_out() {
        let line = "sinew rollout --inference.type=rtc --inference.rtc.max_guidance_weight=5 \
                    --inference.queue_threshold 3 --dataset.depth_encoder.vcodec hevc \
                    --dataset.rgb_encoder.extra_options={}";
        let rollout = arranged(line);
        assert_eq!(rollout.words[2..], ["--inference.type=async"]);
        assert_eq!(rollout.warnings.len(), 5, "{:?}", rollout.warnings);
        let replay = arranged("sinew replay --dataset.fps=30 --play_sounds=True --fps=60");
        assert_eq!(replay.words[2..], ["--fps=60"]);
        // Where it has a meaning, it is left alone.
        let record =
            arranged("sinew record --dataset.fps=30 --inference.type rtc --play_sounds=true");
        let left = ["--dataset.fps=30", "--inference.type", "rtc", "--play_sounds=true"];
        assert_eq!((&record.words[2..], record.warnings.len()), (&left.map(str::to_owned)[..], 0));
    }

    #[test]
    fn what_both_arms_of_a_pair_are_given_is_the_pairs() {
        let line = "sinew teleoperate --robot.left_arm_config.use_degrees=True --robot.left_arm_config.port=/dev/a \
                    --robot.right_arm_config.use-degrees true --teleop.left_arm_config.use_degrees=no";
        let pair = arranged(line);
        let words = [
            "--robot.left_arm_config.port=/dev/a",
            "--robot.use_degrees=true",
            "--teleop.left_arm_config.use_degrees=false",
        ];
        // What one arm alone is given is refused by the parser, and why is told before.
        assert_eq!(pair.words[2..], words.map(str::to_owned));
        assert_eq!(pair.warnings.len(), 1, "{:?}", pair.warnings);
        assert!(
            pair.warnings[0].contains("--teleop.use_degrees is for both"),
            "{:?}",
            pair.warnings
        );
        let differ = "sinew teleoperate --robot.left_arm_config.max_relative_target=5 \
                      --robot.right_arm_config.max_relative_target=6";
        assert_eq!(arranged(differ).warnings.len(), 2);
    }

    #[test]
    fn what_is_true_and_false_is_said_in_many_ways() {
        let line = "sinew record --dataset.push_to_hub=False --resume=TRUE --dataset.video no \
                    --play_sounds off --display_data=False --task=True --dataset.repo_id True";
        let record = arranged(line);
        let rest = "--dataset.push_to_hub=false --resume=true --dataset.video false --play_sounds false \
                    --display_data=false --task=True --dataset.repo_id True";
        let rest: Vec<&str> = rest.split_whitespace().collect();
        assert_eq!(record.words[2..], rest);
        assert_eq!(arranged("sinew teleoperate --display True").words[3], "true");
    }

    #[test]
    fn both_joins_mean_the_same_flag() {
        let one = arranged("sinew scan --all_bauds --port=/dev/x");
        assert_eq!(one.words, ["sinew", "scan", "--all-bauds", "--port=/dev/x"]);
        let other = arranged("sinew teleoperate --teleop-time-s 3 --robot.max-relative-target=5");
        assert_eq!(
            other.words[2..],
            ["--teleop_time_s", "3", "--robot.max_relative_target=5"].map(str::to_owned)
        );
    }

    #[test]
    fn a_flag_without_meaning_goes_with_its_value_and_a_reason() {
        for line in [
            "sinew teleoperate --robot.num_read_retries=2 --fps 30",
            "sinew teleoperate --robot.num_read_retries 2 --fps 30",
        ] {
            let arranged = arranged(line);
            assert_eq!(arranged.words, ["sinew", "teleoperate", "--fps", "30"], "{line}");
            assert!(arranged.warnings[0].contains("num_read_retries"), "{line}");
        }
    }

    #[test]
    fn the_name_of_lerobots_program_is_that_of_the_command() {
        for line in [
            "sinew record lerobot-record --fps=30",
            "sinew lerobot-record --fps=30",
            "sinew record --fps=30",
        ] {
            let words = arranged(line).words;
            assert_eq!(words[..2], ["sinew", "record"], "{line}");
            assert_eq!(words.len(), 3, "{line}");
        }
        let other = arranged("sinew record lerobot-replay").words;
        assert_eq!(other[2], "lerobot-replay", "another program's line is refused");
        let task = arranged("sinew record --task lerobot-record").words;
        assert_eq!(task[3], "lerobot-record", "a value stays a value");
    }

    #[test]
    fn a_value_that_looks_like_a_command_stays_a_value() {
        let arranged = arranged("sinew scan --port scan --unknown x");
        assert_eq!(arranged.words, ["sinew", "scan", "--port", "scan", "--unknown", "x"]);
    }
}
