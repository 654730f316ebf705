//! The command of a container: which Dask process it starts, and how we write it.

use serde_json::{Map, Value, json};

/// The Dask process that a container starts, as far as its command tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Process {
    /// `dask scheduler`, `dask-scheduler`
    Scheduler,
    /// `dask worker`, `dask-worker`
    Worker,
    /// `dask-cuda-worker`, `dask cuda worker`
    CudaWorker,
    /// A shell, a script, another program, or the image's own command.
    Unknown,
}

/// Where the words of the command stand: `command` when the user gave one, else `args`.
fn field(container: &Map<String, Value>) -> &'static str {
    if words(container, "command").is_empty() { "args" } else { "command" }
}

/// The words of `command` or `args`.
pub(crate) fn words<'a>(container: &'a Map<String, Value>, field: &str) -> Vec<&'a str> {
    let list = container.get(field).and_then(Value::as_array);
    list.into_iter().flatten().filter_map(Value::as_str).collect()
}

/// Every word the container starts with, `command` and `args` together.
pub(crate) fn all_words(container: &Map<String, Value>) -> Vec<&str> {
    [words(container, "command"), words(container, "args")].concat()
}

/// Recognises the process by the first words, exactly.
pub(crate) fn process(container: &Map<String, Value>) -> Process {
    match all_words(container).as_slice() {
        ["dask-scheduler", ..] | ["dask", "scheduler", ..] => Process::Scheduler,
        ["dask-worker", ..] | ["dask", "worker", ..] => Process::Worker,
        ["dask-cuda-worker", ..] | ["dask", "cuda", "worker", ..] => Process::CudaWorker,
        _ => Process::Unknown,
    }
}

/// Writes `dask-scheduler` as `dask scheduler` and `dask-worker` as `dask worker`: distributed has had only the
/// latter since 2026.6 (<https://github.com/dask/distributed/pull/9240>), and both work since 2022.10.
pub(crate) fn modernise(container: &mut Map<String, Value>) {
    let field = field(container);
    let Some(Value::Array(list)) = container.get_mut(field) else { return };
    let subcommand = match list.first().and_then(Value::as_str) {
        Some("dask-scheduler") => "scheduler",
        Some("dask-worker") => "worker",
        _ => return,
    };
    list.splice(0..1, [json!("dask"), json!(subcommand)]);
}

/// Appends a flag and its value, unless the user gave that flag a value of their own.
pub(crate) fn append_flag(container: &mut Map<String, Value>, flag: &str, value: &str) {
    if has_flag(container, flag) {
        return;
    }
    append(container, [flag, value]);
}

/// Appends words to the end of the command line.
pub(crate) fn append<const N: usize>(container: &mut Map<String, Value>, new: [&str; N]) {
    let args = container.entry("args").or_insert_with(|| json!([]));
    if args.is_null() {
        *args = json!([]);
    }
    if let Value::Array(list) = args {
        list.extend(new.map(Value::from));
    }
}

/// Whether the command line has the flag, as `--flag value` or `--flag=value`.
pub(crate) fn has_flag(container: &Map<String, Value>, flag: &str) -> bool {
    let with_value = |word: &str| word.strip_prefix(flag).is_some_and(|rest| rest.starts_with('='));
    all_words(container).iter().any(|word| *word == flag || with_value(word))
}

/// The value of a flag, as `--flag value` or `--flag=value`.
pub(crate) fn flag_value<'a>(container: &'a Map<String, Value>, flag: &str) -> Option<&'a str> {
    let words = all_words(container);
    let joined = words.iter().find_map(|word| word.strip_prefix(flag)?.strip_prefix('='));
    let apart = || words.iter().position(|word| *word == flag).and_then(|at| words.get(at + 1).copied());
    joined.or_else(apart)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn container(value: Value) -> Map<String, Value> {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn old_commands_become_subcommands_wherever_they_stand() {
        for field in ["command", "args"] {
            let mut old = container(json!({field: ["dask-worker", "--no-nanny"]}));
            modernise(&mut old);
            assert_eq!(words(&old, field), ["dask", "worker", "--no-nanny"]);
            assert_eq!(process(&old), Process::Worker);
        }
    }

    #[test]
    fn only_a_whole_first_word_is_a_dask_command() {
        for args in
            [json!(["bash", "-c", "dask-worker"]), json!(["/opt/dask-worker"]), json!([]), json!(null)]
        {
            let mut other = container(json!({"args": args}));
            let before = other.clone();
            modernise(&mut other);
            assert_eq!(other, before);
            assert_eq!(process(&other), Process::Unknown);
        }
    }

    #[test]
    fn the_words_of_command_come_first() {
        let mut split = container(json!({"command": ["dask"], "args": ["worker"]}));
        assert_eq!(process(&split), Process::Worker);
        append_flag(&mut split, "--nthreads", "2");
        assert_eq!(all_words(&split), ["dask", "worker", "--nthreads", "2"]);
    }

    #[test]
    fn a_flag_of_the_users_own_wins() {
        let mut own = container(json!({"args": ["dask", "worker", "--nthreads=4"]}));
        append_flag(&mut own, "--nthreads", "2");
        assert_eq!(all_words(&own), ["dask", "worker", "--nthreads=4"]);
    }
}
