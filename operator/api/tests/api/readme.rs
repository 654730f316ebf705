//! The README shows the examples as they are.

const README: &str = include_str!("../../../../README.md");
const EXAMPLES: [(&str, &str); 3] = [
    ("cluster.yaml", include_str!("../../../../examples/cluster.yaml")),
    ("group.yaml", include_str!("../../../../examples/group.yaml")),
    ("job.py", include_str!("../../../../examples/job.py")),
];

#[test]
fn the_readme_shows_the_very_files() {
    for (name, text) in EXAMPLES {
        assert!(README.contains(text.trim_end()), "examples/{name} is another one in the README");
    }
}
