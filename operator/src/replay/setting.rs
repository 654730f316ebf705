//! `--set`: a field of an autoscaler's spec.

use dask_operator_api::autoscaler::DaskAutoscalerSpec;
use serde_json::{Value, json};

use super::ReplayError;

/// The spec with all of them.
pub(super) fn with(
    spec: &DaskAutoscalerSpec,
    settings: &[String],
) -> Result<DaskAutoscalerSpec, ReplayError> {
    settings.iter().try_fold(spec.clone(), |spec, setting| {
        let wrong = |why: String| ReplayError::Setting { setting: setting.clone(), why };
        let (field, value) =
            setting.split_once('=').ok_or_else(|| wrong("it is not FIELD=VALUE".to_owned()))?;
        let value = serde_json::from_str(value).unwrap_or_else(|_| json!(value));
        set(&spec, field, &value).map_err(wrong)
    })
}

fn set(spec: &DaskAutoscalerSpec, field: &str, value: &Value) -> Result<DaskAutoscalerSpec, String> {
    if field == "cluster" {
        return Err("only its own cluster's work was recorded".to_owned());
    }
    let spec_with = |value: &Value| -> Result<(DaskAutoscalerSpec, bool), String> {
        let mut object = serde_json::to_value(spec).map_err(|error| error.to_string())?;
        put(&mut object, field, value)?;
        let spec: DaskAutoscalerSpec = serde_json::from_value(object).map_err(|error| error.to_string())?;
        let told = serde_json::to_value(&spec).map_err(|error| error.to_string())?;
        let told = told.pointer(&format!("/{}", field.replace('.', "/")));
        // A list or an object comes out as it went in, or it had a field that there is not.
        let is_whole = |told: &Value| !(value.is_object() || value.is_array()) || told == value;
        Ok((spec, told.is_some_and(is_whole)))
    };
    if value.is_null()
        && let Some(without) = without(spec, field)
    {
        return serde_json::from_value(without).map_err(|error| error.to_string());
    }
    // What is false is not told, so a field that may be is looked for as true.
    let probe = if *value == json!(false) { json!(true) } else { value.clone() };
    match spec_with(&probe)? {
        (_, true) => Ok(spec_with(value)?.0),
        (_, false) => Err("an autoscaler has no such field, or it says nothing by this value".to_owned()),
    }
}

/// The spec without it, if it is set.
fn without(spec: &DaskAutoscalerSpec, field: &str) -> Option<Value> {
    let mut spec = serde_json::to_value(spec).ok()?;
    let (parent, name) = field.rsplit_once('.').unwrap_or(("", field));
    let parent = if parent.is_empty() { String::new() } else { format!("/{}", parent.replace('.', "/")) };
    spec.pointer_mut(&parent)?.as_object_mut()?.remove(name)?;
    Some(spec)
}

fn put(object: &mut Value, field: &str, value: &Value) -> Result<(), String> {
    let mut place = object;
    for part in field.split('.') {
        if place.is_null() {
            *place = json!({});
        }
        let Value::Object(fields) = place else { return Err("lists are set as a whole, as JSON".to_owned()) };
        place = fields.entry(part).or_insert(Value::Null);
    }
    *place = value.clone();
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(settings: &[&str]) -> Result<DaskAutoscalerSpec, String> {
        let settings: Vec<_> = settings.iter().map(|text| (*text).to_owned()).collect();
        with(&DaskAutoscalerSpec::default(), &settings).map_err(|error| error.to_string())
    }

    #[test]
    fn fields_are_set_by_their_names_in_a_manifest() {
        let spec = set(&["maximum=20", "scaleDown.stabilizationSeconds=300", "advisory=true"]).unwrap();
        assert_eq!((spec.maximum, spec.advisory), (Some(20), true));
        assert_eq!(spec.scale_down.unwrap().stabilization_seconds, Some(300));
        let groups =
            set(&[r#"groups=[{"name":"demo-spot","priority":10}]"#, "advisory=false"]).unwrap().groups;
        assert_eq!(groups[0].priority, Some(10));
        let none =
            set(&["maximum=20", r#"groups=[{"name":"demo-spot"}]"#, "maximum=null", "groups=null"]).unwrap();
        assert_eq!(none, DaskAutoscalerSpec::default());
    }

    #[test]
    fn what_is_no_field_is_refused_with_a_sentence() {
        let settings = [
            "maximun=20",
            "maximum=many",
            "maximum",
            "maximum=null",
            "scaleDown.soon=false",
            "minimum.x=1",
            "cluster=a",
            r#"scaleDown={"stabilizationSecond":300}"#,
            r#"groups=[{"name":"a","maxmum":3}]"#,
        ];
        for setting in settings {
            let told = set(&[setting]).unwrap_err();
            assert!(told.starts_with(&format!("--set {setting} cannot be followed: ")), "{told}");
        }
    }
}
