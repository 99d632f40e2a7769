//! A policy's page.

use super::{code, list, quoted, table};

/// What a policy tells people.
#[derive(Clone, Debug, Default)]
pub struct ModelCard {
    /// `owner/name`.
    pub repo: String,
    /// The licence's short name.
    pub license: String,
    /// Words that it is found by.
    pub tags: Vec<String>,
    /// Its type, as LeRobot calls it.
    pub kind: String,
    /// The dataset that it learned from, `owner/name`.
    pub dataset: Option<String>,
    /// What it looks at and what it says: name and shape.
    pub inputs: Vec<(String, String)>,
    /// What it says: name and shape.
    pub outputs: Vec<(String, String)>,
    /// What is worth knowing of it: success, precision, the hash of its weights.
    pub figures: Vec<(String, String)>,
}

impl ModelCard {
    /// As README.md has it.
    pub fn text(&self) -> String {
        let mut out = String::from("---\n");
        if let Some(dataset) = &self.dataset {
            out.push_str(&format!("datasets: {}\n", quoted(dataset)));
        }
        out.push_str(&format!(
            "library_name: lerobot\nlicense: {}\nmodel_name: {}\npipeline_tag: robotics\n",
            quoted(&self.license),
            quoted(&self.kind)
        ));
        let tags = ["robotics", "lerobot", &self.kind, "sinew"].into_iter();
        list(&mut out, "tags", tags.chain(self.tags.iter().map(String::as_str)));
        out.push_str(&format!("---\n\n# {}\n\n", self.repo));
        out.push_str(&format!(
            "A policy of type {} for [LeRobot](https://github.com/huggingface/lerobot) and Sinew.\n\n",
            super::cell(&self.kind)
        ));
        table(&mut out, ["what", "measured"], &self.figures);
        if let Some(dataset) = &self.dataset {
            let dataset = super::cell(dataset);
            out.push_str(&format!(
                "It learned from [{dataset}](https://huggingface.co/datasets/{dataset}).\n\n"
            ));
        }
        out.push_str("## Inputs & Outputs\n\n");
        table(&mut out, ["it looks at", "shape"], &self.inputs);
        table(&mut out, ["it says", "shape"], &self.outputs);
        out.push_str("## Use\n\n");
        code(&mut out, "sh", &format!("sinew rollout --policy {} --robot NAME", self.repo));
        code(
            &mut out,
            "sh",
            &format!("lerobot-rollout --policy.path={} --robot.type=...", self.repo),
        );
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_header_says_what_lerobots_does() {
        let card = ModelCard {
            repo: "me/act".into(),
            license: "apache-2.0".into(),
            kind: "act".into(),
            dataset: Some("me/pick".into()),
            figures: vec![("success".into(), "200 of 200".into())],
            ..ModelCard::default()
        };
        let text = card.text();
        let header = text.strip_prefix("---\n").unwrap().split_once("\n---\n").unwrap().0;
        let expected = "datasets: \"me/pick\"\nlibrary_name: lerobot\nlicense: \"apache-2.0\"\n\
            model_name: \"act\"\npipeline_tag: robotics\ntags:\n- \"robotics\"\n- \"lerobot\"\n- \"act\"\n- \"sinew\"";
        assert_eq!(header, expected);
        assert!(text.contains("| success | 200 of 200 |"), "{text}");
        let bare = ModelCard { dataset: None, ..card }.text();
        assert!(!bare.contains("datasets:"), "{bare}");
    }
}
