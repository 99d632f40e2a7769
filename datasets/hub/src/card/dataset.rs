//! A dataset's page.

use super::{code, list, quoted, table};

/// Where the badge's pictures lie, and where it leads.
const BADGE: &str =
    "https://huggingface.co/datasets/huggingface/badges/resolve/main/visualize-this-dataset-xl";
const VIEWER: &str = "https://huggingface.co/spaces/lerobot/visualize_dataset?path=";

/// What a dataset tells people.
#[derive(Clone, Debug, Default)]
pub struct DatasetCard {
    /// `owner/name`.
    pub repo: String,
    /// The licence's short name.
    pub license: String,
    /// Words that it is found by.
    pub tags: Vec<String>,
    /// What was done in it, in words.
    pub tasks: Vec<String>,
    /// What is worth knowing of it: episodes, how even it is, what was repeated.
    pub figures: Vec<(String, String)>,
    /// Its info.json.
    pub info: String,
}

impl DatasetCard {
    /// As README.md has it.
    pub fn text(&self) -> String {
        let mut out =
            format!("---\nlicense: {}\ntask_categories:\n- robotics\n", quoted(&self.license));
        let tags = ["LeRobot", "sinew"].into_iter().chain(self.tags.iter().map(String::as_str));
        list(&mut out, "tags", tags);
        out.push_str("configs:\n- config_name: default\n  data_files: data/*/*.parquet\n---\n\n");
        out.push_str(&format!("# {}\n\n", self.repo));
        out.push_str(
            "Episodes of a robot, in the format of [LeRobot](https://github.com/huggingface/lerobot), \
             recorded with Sinew.\n\n",
        );
        // As LeRobot's own pages show it.
        out.push_str(&format!(
            "<a class=\"flex\" href=\"{VIEWER}{0}\">\n<img class=\"block dark:hidden\" src=\"{BADGE}.svg\"/>\n\
             <img class=\"hidden dark:block\" src=\"{BADGE}-dark.svg\"/>\n</a>\n\n",
            self.repo
        ));
        if !self.tasks.is_empty() {
            out.push_str("## Tasks\n\n");
            for task in &self.tasks {
                out.push_str(&format!("- {}\n", super::cell(task)));
            }
            out.push('\n');
        }
        out.push_str("## Recording\n\n");
        table(&mut out, ["what", "measured"], &self.figures);
        out.push_str("## Dataset Structure\n\n[meta/info.json](meta/info.json):\n\n");
        code(&mut out, "json", &self.info);
        out.push_str("## Use\n\n");
        code(
            &mut out,
            "python",
            &format!(
                "from lerobot.datasets.lerobot_dataset import LeRobotDataset\n\ndataset = \
                 LeRobotDataset({})",
                quoted(&self.repo)
            ),
        );
        code(&mut out, "sh", &format!("sinew dataset viz {}", self.repo));
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_it_is_told_the_header_stays_a_header() {
        let card = DatasetCard {
            repo: "me/pick".into(),
            license: "apache-2.0".into(),
            tags: vec!["so101".into(), "a: b\n---\n# x".into(), "LeRobot".into()],
            tasks: vec!["pick | <script>".into()],
            figures: vec![("frames".into(), "3 | 4".into())],
            info: "{\"a\": \"```\"}".into(),
        };
        let text = card.text();
        let (header, page) = text.strip_prefix("---\n").unwrap().split_once("\n---\n").unwrap();
        let lines: Vec<&str> = header.lines().collect();
        assert_eq!(lines[..3], ["license: \"apache-2.0\"", "task_categories:", "- robotics"]);
        assert_eq!(
            lines[3..8],
            ["tags:", "- \"LeRobot\"", "- \"sinew\"", "- \"so101\"", "- \"a: b\\n---\\n# x\""]
        );
        assert_eq!(
            lines[8..],
            ["configs:", "- config_name: default", "  data_files: data/*/*.parquet"]
        );
        assert!(page.contains("| frames | 3 \\| 4 |"), "{page}");
        assert!(page.contains("- pick \\| &lt;script>"), "{page}");
        assert!(page.contains("````json\n{\"a\": \"```\"}\n````\n"), "{page}");
        assert!(page.contains("visualize_dataset?path=me/pick\""), "{page}");
    }
}
