//! How what people write as JSON or YAML is written down in a recording: as JSON, since that has names for everything and leaves out what is
//! not set.

use std::io::{Read, Result, Write};

use borsh::{BorshDeserialize, BorshSerialize};
use broker::recorded::invalid;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::cloudwatch::advice::AlarmSet;
use super::fault::FaultRequest;
use super::script::Script;
use super::workload::WorkloadSpec;

/// Writes it as JSON.
///
/// # Errors
/// The writer's; or it has no form in JSON.
pub fn put_json<W: Write>(value: &impl Serialize, writer: &mut W) -> Result<()> {
    BorshSerialize::serialize(&serde_json::to_vec(value)?, writer)
}

/// Reads what [`put_json`] wrote.
///
/// # Errors
/// The reader's; or it is something else.
pub fn take_json<T: DeserializeOwned, R: Read>(reader: &mut R) -> Result<T> {
    let bytes = Vec::<u8>::deserialize_reader(reader)?;
    serde_json::from_slice(&bytes).map_err(|error| invalid(error.to_string()))
}

macro_rules! as_json {
    ($($name:ty),*) => { $(
        impl BorshSerialize for $name {
            fn serialize<W: Write>(&self, writer: &mut W) -> Result<()> {
                put_json(self, writer)
            }
        }

        impl BorshDeserialize for $name {
            fn deserialize_reader<R: Read>(reader: &mut R) -> Result<$name> {
                take_json(reader)
            }
        }
    )* };
}

as_json!(AlarmSet, FaultRequest, Script, WorkloadSpec);
