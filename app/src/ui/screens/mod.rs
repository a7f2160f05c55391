//! The screens, one file each. A screen paints the scene and its own small state, and pushes what it asks for onto `actions`.

pub mod alarm_detail;
pub mod alarms;
pub mod broker_dirs;
pub mod broker_load;
pub mod brokers;
pub mod cluster;
pub mod cluster_cards;
pub mod cluster_clients;
pub mod cluster_flow;
pub mod cluster_lines;
pub mod cluster_map;
pub mod cluster_topics;
pub mod events;
pub mod fault_detail;
pub mod fault_script;
pub mod fault_storm;
pub mod faults;
pub mod gallery;
pub mod group_check;
pub mod group_detail;
pub mod group_share;
pub mod group_theatre;
pub mod groups;
pub mod key_partition;
pub mod ledger;
pub mod ledger_loss;
pub mod log_delivery;
pub mod log_levels;
pub mod log_message;
pub mod log_rows;
pub mod logs;
pub mod message_detail;
pub mod message_volume;
pub mod message_wish;
pub mod metrics;
pub mod metrics_beans;
pub mod metrics_explorer;
pub mod metrics_level;
pub mod metrics_wall;
pub mod quorum;
pub mod quorum_log;
pub mod quorum_members;
pub mod quorum_tree;
pub mod start;
pub mod start_guide;
pub mod stories;
mod story_card;
pub mod tape_words;
pub mod topic;
pub mod topic_configs;
pub mod topic_messages;
pub mod topic_producers;
pub mod topic_tape;
pub mod topics;
pub mod wire;
pub mod wire_apis;
pub mod wire_connections;
pub mod wire_way;
pub mod workload_consumers;
pub mod workload_detail;
pub mod workload_producers;
pub mod workloads;

use egui::{Align, Layout, Ui};

use super::app::Scene;
use super::tokens::{font, palette, space};
use super::widgets::empty::loading;
pub use super::widgets::layout::{page, side_by_side};
use super::widgets::text;

/// What the screens remember.
#[derive(Debug, Default)]
pub struct Screens {
    /// Of the first page.
    pub start: start::State,
    /// Of the cluster screen.
    pub cluster: cluster::State,
    /// Of the topics screen.
    pub topics: topics::State,
    /// Of the topic screen.
    pub topic: topic::State,
    /// Of the groups screen.
    pub groups: groups::State,
    /// Of the brokers screen.
    pub brokers: brokers::State,
    /// Of the wire view.
    pub wire: wire::State,
    /// Of the workloads screen.
    pub workloads: workloads::State,
    /// Of the faults screen.
    pub faults: faults::State,
    /// Of the ledger.
    pub ledger: ledger::State,
    /// Of the metrics screen.
    pub metrics: metrics::State,
    /// Of the alarms screen.
    pub alarms: alarms::State,
    /// Of the events screen.
    pub events: events::State,
    /// Of the logs screen.
    pub logs: logs::State,
    /// Of the quorum.
    pub quorum: quorum::State,
    /// Of the gallery.
    pub gallery: gallery::State,
}

/// Says so while the cluster is not up yet and so has nothing to show. Returns whether it said it.
pub fn starting(ui: &mut Ui, scene: &Scene<'_>, what: &str) -> bool {
    let is_starting = scene.model.snapshot().brokers.is_empty();
    if is_starting {
        loading(ui, "The cluster is starting", &format!("{what} as soon as its brokers report."));
    }
    is_starting
}

/// The title of a screen with what it holds in a few words, and controls at the right.
pub fn header(ui: &mut Ui, title: &str, summary: &str, controls: impl FnOnce(&mut Ui)) {
    let style = palette(ui);
    ui.horizontal(|ui| {
        ui.set_min_height(super::tokens::size::CONTROL);
        text::label(ui, title, font::title(), style.text);
        text::label(ui, summary, font::body(), style.faint);
        ui.with_layout(Layout::right_to_left(Align::Center), controls);
    });
    ui.add_space(space::XS);
}
