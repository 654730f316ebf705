//! The looks in a file.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use dask_operator_plan::autoscaler::Look;

use super::ReplayError;

/// Those of one autoscaler, the only one if none is named.
pub(super) fn read(path: &Path, autoscaler: Option<&str>) -> Result<Vec<Look>, ReplayError> {
    let text = fs::read_to_string(path);
    let text = text.map_err(|error| ReplayError::Unreadable { path: path.to_owned(), error })?;
    if !text.is_empty() && !text.ends_with('\n') {
        return Err(ReplayError::Cut { path: path.to_owned() });
    }
    let look = |(at, line)| {
        let wrong = |error| ReplayError::NotATrace { path: path.to_owned(), line: at + 1, error };
        serde_json::from_str(line).map_err(wrong)
    };
    let all = text.lines().enumerate().map(look).collect::<Result<Vec<Look>, _>>()?;
    let names: BTreeSet<_> = all.iter().map(name).collect();
    if autoscaler.is_none() && names.len() > 1 {
        let names = names.into_iter().collect::<Vec<_>>().join(", ");
        return Err(ReplayError::Several { path: path.to_owned(), names });
    }
    let looks: Vec<_> = all.into_iter().filter(|look| autoscaler.is_none_or(|of| of == name(look))).collect();
    if looks.is_empty() {
        let of = autoscaler.unwrap_or("any autoscaler").to_owned();
        return Err(ReplayError::Nothing { path: path.to_owned(), of });
    }
    Ok(looks)
}

fn name(look: &Look) -> String {
    format!("{}/{}", look.namespace, look.name)
}
