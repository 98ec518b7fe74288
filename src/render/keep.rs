//! The Secret outlives its release: marks that keep Helm and Argo CD from deleting it.

use crate::manifest::{EditError, New, Object, Patch};

/// `helm uninstall`, and an upgrade whose chart no longer renders the Secret, leave it where it is.
const HELM: (&str, &str) = ("helm.sh/resource-policy", "keep");
/// Argo CD does not prune it when it leaves the repository. Several options stand in one annotation, with commas.
const ARGOCD: &str = "argocd.argoproj.io/sync-options";
const PRUNE: &str = "Prune";
const NO_PRUNE: &str = "Prune=false";
/// Both, for an object of ours.
pub const MARKS: [(&str, &str); 2] = [HELM, (ARGOCD, NO_PRUNE)];

/// Marks a Secret. What the chart itself says on either matter stays.
///
/// # Errors
/// A layout that cannot be edited.
pub fn mark<'t, 'a>(patch: &mut Patch<'t, 'a>, secret: &Object<'t, 'a>) -> Result<(), EditError> {
    annotate(patch, secret, true, None)
}

/// Marks a Secret if it is to be kept, and gives it one more annotation.
///
/// # Errors
/// A layout that cannot be edited.
pub fn annotate<'t, 'a>(
    patch: &mut Patch<'t, 'a>,
    secret: &Object<'t, 'a>,
    keep: bool,
    more: Option<(&str, String)>,
) -> Result<(), EditError> {
    let present = |name: &str| secret.root.at(&["metadata", "annotations", name]);
    let mut new = Vec::new();
    if keep && present(HELM.0).is_none() {
        new.push((HELM.0.to_owned(), New::text(HELM.1)));
    }
    match present(ARGOCD) {
        _ if !keep => {}
        None => new.push((ARGOCD.to_owned(), New::text(NO_PRUNE))),
        Some(options) => {
            let text = options.text().unwrap_or_default();
            let mut set = text.split(',').map(|option| option.split('=').next().unwrap_or_default().trim());
            if !set.any(|option| option == PRUNE) {
                let separator = if text.trim().is_empty() { "" } else { "," };
                patch.replace(&options, &format!("{}{separator}{NO_PRUNE}", text.trim_end()))?;
            }
        }
    }
    new.extend(more.map(|(name, value)| (name.to_owned(), New::text(value))));
    if new.is_empty() {
        return Ok(());
    }
    match secret.root.get("metadata") {
        Some(metadata) => patch.put(&metadata, "annotations", "", new),
        None => patch.put(&secret.root, "metadata", "data", vec![("annotations".to_owned(), New::Map(new))]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::Cursor;
    use crate::yaml;

    fn marked(text: &str) -> String {
        let tree = yaml::parse(text).unwrap();
        let secret = Object::all(Cursor::root(&tree).unwrap()).remove(0);
        let mut patch = Patch::new(&tree);
        mark(&mut patch, &secret).unwrap();
        if patch.is_empty() { text.to_owned() } else { patch.apply().unwrap().to_string() }
    }

    #[test]
    fn both_marks_are_set_once() {
        let once = marked("kind: Secret\nmetadata:\n  name: a\n  labels: {}\ndata: {}\n");
        assert_eq!(
            once,
            "kind: Secret\nmetadata:\n  annotations:\n    helm.sh/resource-policy: keep\n    \
             argocd.argoproj.io/sync-options: Prune=false\n  name: a\n  labels: {}\ndata: {}\n"
        );
        assert_eq!(marked(&once), once);
    }

    #[test]
    fn what_the_chart_says_stays() {
        let chart = |options: &str| {
            format!(
                "kind: Secret\nmetadata:\n  annotations:\n    helm.sh/resource-policy: other\n    {ARGOCD}: {options}\n"
            )
        };
        assert_eq!(marked(&chart("Prune=true")), chart("Prune=true"));
        assert_eq!(marked(&chart("Delete=confirm, Prune=confirm")), chart("Delete=confirm, Prune=confirm"));
        assert_eq!(marked(&chart("ServerSideApply=true")), chart("\"ServerSideApply=true,Prune=false\""));
    }
}
