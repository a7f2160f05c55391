//! The window: a function of the newest view and a little state of its own. It returns commands and does nothing else.
//!
//! Knows `monitor` (what to show, what can be asked for) and no other room of the program: no node, no socket, no file, no clock but egui's.
//! Nothing here blocks or locks. It repaints when there is input or when the [`Backend`] wakes it, and not otherwise.
//!
//! `tokens` holds every colour and distance, `widgets` what is made of them, `screens` one file per screen, `commands` all that can be done,
//! `app` puts them together.

mod alarm_draft;
pub mod app;
mod as_command;
mod asked;
pub mod backend;
mod commands;
mod decoding;
mod dialog_alarm;
mod dialog_configs;
mod dialog_create;
mod dialog_export;
mod dialog_fault;
mod dialog_group;
mod dialog_ledger;
mod dialog_produce;
mod dialog_reassign;
mod dialog_recording;
mod dialog_topic;
mod dialogs;
mod discard;
mod faults;
mod file_picker;
mod file_reading;
mod finder;
pub mod fixture;
mod fixture_brokers;
mod fixture_busy;
mod fixture_cloudwatch;
mod fixture_events;
pub mod fixture_faults;
mod fixture_groups;
pub mod fixture_history;
mod fixture_ledger;
mod fixture_load;
mod fixture_logs;
mod fixture_messages;
mod fixture_quorum;
mod fixture_tape;
mod fixture_wire;
mod format;
mod guide_bar;
mod help;
mod history;
mod measured;
mod memory;
mod message_text;
mod model;
pub mod news;
mod outbox;
mod reassign_file;
mod rewind;
mod screen;
mod screens;
mod settings;
mod sheet;
mod shell;
mod tape_picture;
mod theme;
mod time_bar;
mod time_lanes;
mod tokens;
mod value_tree;
mod verdicts;
mod widgets;

#[cfg(test)]
mod tests;

pub use alarm_draft::Start as AlarmStart;
pub use app::{BrokerscopeApp, Dialog, FaultTarget, MetricsView, Options, Screen, ThemeChoice, UnknownScreen};
pub use backend::{Backend, Live};
pub use dialog_topic::TopicWish;
pub use file_picker::{PickWish, Picked, Picker, PickerHandle};
pub use rewind::Recorded;
pub use screens::events::Tab as EventsView;
pub use screens::topic::TopicView;
pub use screens::wire::Tab as WireView;
