//! Decisions over metadata. Pure.
