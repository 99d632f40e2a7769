//! Which files of a folder belong on a hub, and the page that goes with them.

use std::path::Path;

use serde_json::Value;
use sinew_datasets::schema::Info;
use sinew_datasets::upload::{self, Snapshot};
use sinew_hub::card::ModelCard;
use sinew_hub::queue::{Job, Turn};
use sinew_hub::{Kind, Local};

use super::attempt::Wrong;

/// The licence where nobody names one, as LeRobot's.
const LICENSE: &str = "apache-2.0";

/// The endings of a policy's files that are uploaded, as LeRobot's.
const POLICY: [&str; 4] = [".safetensors", ".json", ".yaml", ".md"];

/// The longest JSON file that is looked into.
const LONGEST: u64 = 16 << 20;

/// Files for a hub.
pub struct Gathered {
    /// Those first that the others count.
    pub files: Vec<Local>,
    /// What the commit is tagged with.
    pub tag: Option<&'static str>,
    /// What holds the files fast meanwhile.
    _held: Option<Snapshot>,
}

/// What a folder holds, if it is one for a hub.
pub fn kind_of(folder: &Path) -> Option<Kind> {
    if folder.join("meta/info.json").is_file() {
        Some(Kind::Dataset)
    } else if folder.join("config.json").is_file() && folder.join("model.safetensors").is_file() {
        Some(Kind::Model)
    } else {
        None
    }
}

/// The files of a folder whose turn it is.
pub fn gather(turn: &Turn) -> Result<Gathered, Wrong> {
    let job = turn.job();
    match job.kind {
        Kind::Dataset => dataset(job, &turn.name()),
        Kind::Model | Kind::Space => policy(job),
    }
}

fn dataset(job: &Job, name: &str) -> Result<Gathered, Wrong> {
    let held = Snapshot::take(&job.root, name)?;
    let mut files = held.files().to_vec();
    let info = Info::load(&job.root)?;
    if !files.iter().any(|file| file.path() == "README.md") {
        let license = job.license.as_deref().unwrap_or(LICENSE);
        let card = upload::card(&job.root, &job.repo, license, &job.tags)?;
        files.insert(0, page(card.text())?);
    }
    Ok(Gathered { files, tag: Some(info.version.name()), _held: Some(held) })
}

fn policy(job: &Job) -> Result<Gathered, Wrong> {
    let wanted = |path: &str| POLICY.iter().any(|ending| path.ends_with(ending));
    let mut files = Local::below(&job.root, wanted)?;
    if !files.iter().any(|file| file.path() == "README.md") {
        files.insert(0, page(model_card(job)?.text())?);
    }
    Ok(Gathered { files, tag: None, _held: None })
}

/// A page gives way to what people have written in its place.
fn page(text: String) -> Result<Local, Wrong> {
    Ok(Local::bytes("README.md", text.into_bytes())?.yielding())
}

/// What a policy's own files say of it.
fn model_card(job: &Job) -> Result<ModelCard, Wrong> {
    let config = json(&job.root.join("config.json"))?;
    let training = json(&job.root.join("train_config.json")).unwrap_or_default();
    let eval = json(&job.root.join("eval_info.json")).unwrap_or_default();
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let shapes = |key: &str| {
        let features = config[key].as_object().into_iter().flatten();
        features.map(|(name, feature)| (name.clone(), feature["shape"].to_string())).collect()
    };
    let mut figures = Vec::new();
    if let Some(rate) = eval["overall"]["pc_success"].as_f64() {
        let of = eval["overall"]["n_episodes"].as_u64();
        let of = of.map_or_else(String::new, |of| format!(" of {of} episodes"));
        figures.push(("success".to_owned(), format!("{rate:.1} %{of}")));
    }
    let weights = Local::file("model.safetensors", job.root.join("model.safetensors"))?;
    figures.push(("SHA-256 of the weights".to_owned(), weights.sha256()?));
    figures.push(("weights held as".to_owned(), precision(&job.root)?));
    Ok(ModelCard {
        repo: job.repo.clone(),
        license: job.license.clone().unwrap_or_else(|| LICENSE.to_owned()),
        tags: job.tags.clone(),
        kind: text(&config["type"]).unwrap_or_else(|| "unknown".to_owned()),
        dataset: text(&training["dataset"]["repo_id"]),
        inputs: shapes("input_features"),
        outputs: shapes("output_features"),
        figures,
    })
}

/// The kinds of numbers in a file of weights, from its header.
fn precision(root: &Path) -> Result<String, Wrong> {
    let path = root.join("model.safetensors");
    let io = |error: std::io::Error| Wrong::of(format!("cannot read {}: {error}", path.display()));
    let mut file = std::fs::File::open(&path).map_err(io)?;
    let mut length = [0; 8];
    std::io::Read::read_exact(&mut file, &mut length).map_err(io)?;
    let length = u64::from_le_bytes(length);
    if length > LONGEST {
        return Err(Wrong::of(format!("{} is no safetensors file", path.display())));
    }
    let mut header = Vec::new();
    std::io::Read::read_to_end(&mut std::io::Read::take(file, length), &mut header).map_err(io)?;
    let header: Value = serde_json::from_slice(&header).map_err(|error| {
        Wrong::of(format!("{} is no safetensors file: {error}", path.display()))
    })?;
    let tensors = header.as_object().into_iter().flatten();
    let mut kinds: Vec<&str> = tensors.filter_map(|(_, tensor)| tensor["dtype"].as_str()).collect();
    kinds.sort_unstable();
    kinds.dedup();
    Ok(kinds.join(", "))
}

fn json(path: &Path) -> Result<Value, Wrong> {
    let wrong = |what: String| Wrong::of(format!("cannot read {}: {what}", path.display()));
    let about = std::fs::metadata(path).map_err(|error| wrong(error.to_string()))?;
    if about.len() > LONGEST {
        return Err(wrong("it is far too long".to_owned()));
    }
    let bytes = std::fs::read(path).map_err(|error| wrong(error.to_string()))?;
    serde_json::from_slice(&bytes).map_err(|error| wrong(error.to_string()))
}
