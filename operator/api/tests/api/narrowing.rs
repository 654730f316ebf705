//! Whatever the Python operator's CRDs accept, ours accept with the same meaning.

#[cfg(test)]
mod facts;
#[cfg(test)]
mod walk;
