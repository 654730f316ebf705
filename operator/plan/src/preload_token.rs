//! What is loaded into a scheduler and its workers so that workers can leave without a loss, and the token they share.
//!
//! The scheduler's preload answers on its HTTP server (`operator/preload/README.md` is the contract); workers ask it to
//! take over what they have before they are signalled.

use sha2::{Digest, Sha256};

use crate::container::{self, Container};

/// What guards the routes.
pub(crate) const TOKEN_VARIABLE: &str = "OPERATOR_TOKEN";

/// Beside a variable that names preloads: that they take no arguments. Dask would give ours the lists that are meant
/// for the user's own, and does not start when there are more lists than preloads.
pub(crate) fn append_preload(container: &mut Container, variable: &str, text: &str) {
    container::append_env(container, variable, text);
    container::append_env(container, &format!("{variable}_ARGV"), "[]");
}

/// The token of the cluster with this UID: the same whenever it is asked for, so that it need not be kept, and as good
/// as random for everybody who cannot read the cluster's objects.
pub fn token(cluster_uid: &str) -> String {
    format!("{:x}", Sha256::digest(format!("dask-operator/link/{cluster_uid}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cluster_has_one_token_which_is_neither_its_uid_nor_another_clusters() {
        assert_eq!(token("a").len(), 64);
        assert_eq!(token("a"), token("a"));
        assert_ne!(token("a"), token("b"));
    }
}
