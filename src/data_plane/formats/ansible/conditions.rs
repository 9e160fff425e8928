//! `when`: one condition, or a list that must hold as a whole.

use crate::data_plane::yaml::Node;

/// The conditions in a `when` value.
pub(super) fn conditions(node: &Node) -> Vec<String> {
    match node.items() {
        Some(items) => items.iter().filter_map(condition).collect(),
        None => condition(node).into_iter().collect(),
    }
}

fn condition(node: &Node) -> Option<String> {
    if node.is_null() {
        return None;
    }
    node.text().map(|text| text.trim().to_owned())
}

/// All conditions as one expression.
pub(super) fn join(conditions: &[String]) -> Option<String> {
    match conditions {
        [] => None,
        [one] => Some(one.clone()),
        several => Some(several.iter().map(|one| grouped(one)).collect::<Vec<_>>().join(" and ")),
    }
}

fn grouped(condition: &str) -> String {
    let composite = [" or ", " and ", " if ", "\n"].iter().any(|word| condition.contains(word));
    if composite { format!("({condition})") } else { condition.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_one_conjunction() {
        let parts = ["a == 1".to_owned(), "b or c".to_owned()];
        assert_eq!(join(&parts).as_deref(), Some("a == 1 and (b or c)"));
        assert_eq!(join(&[]), None);
    }
}
