//! A partition on a broker.
