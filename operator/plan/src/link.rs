//! What a scheduler and its workers share so that workers can leave without a loss: a token, and where it stands.
//!
//! The scheduler's preload answers on its HTTP server (`operator/preload/README.md` is the contract); workers ask it to
//! take over what they have before they are signalled.

use sha2::{Digest, Sha256};

/// What guards the routes.
pub(crate) const TOKEN_VARIABLE: &str = "DASK_OPERATOR_TOKEN";

/// The token of the cluster with this UID: the same whenever it is asked for, so that it need not be kept, and for
/// everybody who cannot read the cluster as good as random. Whoever can may also run code in its pods.
pub(crate) fn token(cluster_uid: &str) -> String {
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
