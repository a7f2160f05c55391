//! Group coordinator. Pure.
