//! What can go wrong, as data.
