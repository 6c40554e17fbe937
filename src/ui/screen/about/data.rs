use crate::ui::{snapshot::About, text::t};

/// Label and value of everything that support may ask for.
pub fn facts(about: &About) -> Vec<(&'static str, String)> {
    [
        (t().sip_address, Some(about.sip_address.clone())),
        (t().instance_id, Some(about.instance_id.clone())),
        (t().config_dir, Some(about.config_dir.clone())),
        (t().log_file, about.log_file.clone()),
    ]
    .into_iter()
    .filter_map(|(label, value)| Some((label, value.filter(|value| !value.is_empty())?)))
    .collect()
}
