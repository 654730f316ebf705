//! Reads the table of what the Python operator's CRDs accept.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

/// One field as the Python operator's CRD has it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Field {
    pub(crate) kind: String,
    pub(crate) required: BTreeSet<String>,
    pub(crate) keys: Vec<String>,
    pub(crate) nullable: bool,
    pub(crate) narrowing: BTreeMap<String, Value>,
    pub(crate) default: Option<Value>,
    pub(crate) children: BTreeMap<String, Field>,
    shared: Option<String>,
}

/// The schema of each kind, by plural name.
pub(crate) fn kinds() -> BTreeMap<String, Field> {
    let mut lines = include_str!("facts.txt").lines().peekable();
    let mut roots = children(&mut lines, 0);
    let shared: BTreeMap<_, _> =
        ["@pod", "@service"].into_iter().map(|name| (name.to_owned(), roots.remove(name).unwrap())).collect();
    for root in roots.values_mut() {
        expand(root, &shared);
    }
    roots
}

/// The fields at `depth` that come next, each with all that is indented below it.
fn children<'a>(
    lines: &mut std::iter::Peekable<impl Iterator<Item = &'a str>>,
    depth: usize,
) -> BTreeMap<String, Field> {
    let mut fields = BTreeMap::new();
    while let Some(line) = lines.next_if(|line| line.len() - line.trim_start().len() == depth) {
        let (name, mut field) = field(line.trim_start());
        field.children = children(lines, depth + 1);
        fields.insert(name, field);
    }
    fields
}

fn field(line: &str) -> (String, Field) {
    let mut words = line.split(' ');
    let name = words.next().unwrap().to_owned();
    let mut field = Field { kind: words.next().unwrap().to_owned(), ..Field::default() };
    for word in words {
        let list = |text: &str| text.split(',').map(str::to_owned).collect::<Vec<_>>();
        match word.split_once('=') {
            Some(("required", names)) => field.required = list(names).into_iter().collect(),
            Some(("keys", names)) => field.keys = list(names),
            Some(("default", value)) => field.default = Some(serde_json::from_str(value).unwrap()),
            Some((key, value)) => {
                field.narrowing.insert(key.to_owned(), serde_json::from_str(value).unwrap());
            }
            None if word == "nullable" => field.nullable = true,
            None => field.shared = Some(word.to_owned()),
        }
    }
    (name, field)
}

/// Puts shared trees where lines name them; what a line says of a shared tree's field stands.
fn expand(field: &mut Field, shared: &BTreeMap<String, Field>) {
    if let Some(name) = field.shared.take() {
        let changed = std::mem::replace(&mut field.children, shared[&name].children.clone());
        for (name, child) in changed {
            let below = field.children.remove(&name).unwrap().children;
            field.children.insert(name, Field { children: below, ..child });
        }
    }
    for child in field.children.values_mut() {
        expand(child, shared);
    }
}
