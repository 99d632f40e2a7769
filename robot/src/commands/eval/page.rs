//! The page of an evaluation: how often, how sure, which not, and how they looked.

use std::path::Path;

use sinew_datasets::report::{Page, escape};

use super::Compared;
use super::info::Results;

/// The page of a policy at a task; the videos lie in `root`.
pub fn page(
    env: &str,
    name: &str,
    root: &Path,
    results: &Results,
    other: Option<(&str, &Compared)>,
) -> String {
    let mut page = Page::new(&format!("{name} at {env}"));
    let [low, high] = results.sure().map(|share| share * 100.0);
    page.raw(&format!(
        "<section><h2>{:.0} % achieved</h2><p>{} of {} attempts; the true rate lies between {low:.0} \
         and {high:.0} % (95 % interval).</p>",
        results.rate() * 100.0,
        results.successes(),
        results.outcomes.len(),
    ));
    page.raw(&squares(results));
    page.raw("</section>");
    if let Some((other_name, compared)) = other {
        compare(&mut page, name, other_name, results, compared);
    }
    if !results.videos.is_empty() {
        page.raw("<section><h2>How it looks</h2><div class=\"grid\">");
        for (video, outcome) in results.videos.iter().zip(&results.outcomes) {
            let path = video.strip_prefix(root).unwrap_or(video).display().to_string();
            let how = if outcome.success { "achieved" } else { "not achieved" };
            page.raw(&format!(
                "<figure><video controls muted loop playsinline style=\"max-width:100%\" \
                 src=\"{}\"></video><figcaption>seed {}: {how}</figcaption></figure>",
                escape(&path),
                outcome.seed,
            ));
        }
        page.raw("</div></section>");
    }
    page.raw("<section><h2>Each attempt</h2>");
    let rows = results.outcomes.iter().map(|outcome| {
        let how = if outcome.success {
            "<span class=\"good\">achieved</span>"
        } else {
            "<span class=\"error\">not achieved</span>"
        };
        vec![
            outcome.seed.to_string(),
            how.to_owned(),
            format!("{:.1} s", f64::from(outcome.ticks) / f64::from(sinew_sim::env::FPS)),
            format!("{:.2}", outcome.sum_reward),
            format!("{:.3}", outcome.max_reward),
        ]
    });
    page.table(&["seed", "", "took", "rewards", "greatest"], rows);
    page.raw("</section>");
    page.finish()
}

/// A square for each attempt.
fn squares(results: &Results) -> String {
    let mut markup = String::from("<p style=\"line-height:1.1;letter-spacing:.1em\">");
    for outcome in &results.outcomes {
        let class = if outcome.success { "good" } else { "error" };
        markup.push_str(&format!(
            "<span class=\"{class}\" title=\"seed {}\">\u{25a0}</span><wbr>",
            outcome.seed
        ));
    }
    markup + "</p>"
}

fn compare(page: &mut Page, name: &str, other: &str, results: &Results, compared: &Compared) {
    page.raw(&format!("<section><h2>Beside {}</h2>", escape(other)));
    let rows = [(name, results), (other, &compared.results)].map(|(name, results)| {
        let [low, high] = results.sure().map(|share| share * 100.0);
        vec![
            escape(name),
            format!("{:.1} %", results.rate() * 100.0),
            format!("{low:.1} to {high:.1} %"),
        ]
    });
    page.table(&["policy", "achieved", "95 % interval"], rows.into_iter());
    page.note(&format!(
        "On the same seeds, {} were achieved by the first alone and {} by the second alone. Equals \
         would differ as much as that in {:.1} of 100 such comparisons (McNemar's exact test).",
        compared.first_alone,
        compared.second_alone,
        compared.chance * 100.0
    ));
    page.raw("</section>");
}
