//! The policy that comes along: a small ACT, trained by LeRobot's own classes on what `sinew sim record`
//! wrote. `robot/sim/policy` has it, the script that made it, and how often it achieves its task.

use std::path::Path;

use serde_json::{Value, json};

use super::{read, say, title};
use crate::cli::failure::{Exit, Failure};
use crate::cli::report::Report;

macro_rules! file {
    ($name:literal) => {
        ($name, include_bytes!(concat!("../../../sim/policy/so101_lift/", $name)).as_slice())
    };
}

const FILES: [(&str, &[u8]); 6] = [
    file!("config.json"),
    file!("model.safetensors"),
    file!("policy_preprocessor.json"),
    file!("policy_preprocessor_step_3_normalizer_processor.safetensors"),
    file!("policy_postprocessor.json"),
    file!("policy_postprocessor_step_0_unnormalizer_processor.safetensors"),
];

/// Lets it try ten worlds that it has never seen.
pub fn try_policy(out: &Path, report: &Report) -> Result<Value, Failure> {
    title(report, "4  Learned: a policy of 0.7 million numbers, in ten worlds it has never seen");
    let (folder, results) = (out.join("policy"), out.join("eval"));
    std::fs::create_dir_all(&folder)
        .and_then(|()| {
            FILES.iter().try_for_each(|(name, bytes)| std::fs::write(folder.join(name), bytes))
        })
        .map_err(|error| Failure::new(Exit::Failed, format!("{}: {error}", folder.display())))?;
    let (policy, place) = (folder.display().to_string(), results.display().to_string());
    let words = ["eval", "--policy", &policy, "--env", super::TASK, "--episodes", "10"];
    if say(&[&words[..], &["--parallel", "--out", &place]].concat(), report)? != Exit::Done {
        return Ok(Value::Null);
    }
    let info = read(&results.join("eval_info.json"))?;
    Ok(json!({ "episodes": 10, "pc_success": info["overall"]["pc_success"] }))
}
