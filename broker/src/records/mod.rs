//! Record batches in Kafka's format v2: parse, validate, build, compress. Pure: knows no disk, no clock and no other room.
