//! The wire view: who is connected and what each asks, requests by API and where their time goes, and one batch on its way through the cluster.

use egui::Ui;

use super::{header, starting, wire_apis, wire_connections, wire_way};
use crate::monitor::wire::connections;
use crate::ui::app::{Action, Scene};
use crate::ui::format;
use crate::ui::widgets::tabs::tabs;

/// What this screen remembers.
#[derive(Debug, Default)]
pub struct State {
    /// Which tab is shown.
    pub tab: Tab,
    /// Of the connections.
    pub connections: wire_connections::State,
    /// Of the APIs.
    pub apis: wire_apis::State,
    /// Of the batch that is followed.
    pub way: wire_way::State,
}

/// What of the wire is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Tab {
    /// Clients' connections.
    #[default]
    Connections,
    /// Requests by API.
    Apis,
    /// One batch on its way.
    Way,
}

impl Tab {
    /// All of them.
    pub const ALL: [Tab; 3] = [Tab::Connections, Tab::Apis, Tab::Way];

    /// Its name on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Tab::Connections => "wire",
            Tab::Apis => "wire-requests",
            Tab::Way => "wire-record",
        }
    }
}

const TABS: [(Tab, &str); 3] =
    [(Tab::Connections, "Connections"), (Tab::Apis, "Requests by API"), (Tab::Way, "Follow a record")];

/// Paints it.
pub fn show(ui: &mut Ui, scene: &Scene<'_>, state: &mut State, actions: &mut Vec<Action>) {
    header(ui, "Wire", &summary(scene), |_| {});
    if starting(ui, scene, "Connections and requests appear here") {
        return;
    }
    tabs(ui, &mut state.tab, &TABS);
    match state.tab {
        Tab::Connections => wire_connections::show(ui, scene, &mut state.connections, actions),
        Tab::Apis => wire_apis::show(ui, scene, &mut state.apis),
        Tab::Way => wire_way::show(ui, scene, &mut state.way, actions),
    }
}

fn summary(scene: &Scene<'_>) -> String {
    let connected = &scene.model.view.connections;
    let told: usize = connected.values().map(|report| report.connections.len()).sum();
    let apis = connected.values().flat_map(|report| &report.connections).flat_map(|one| &one.apis);
    let per_s: f64 = apis.map(|api| api.per_s).sum();
    let open = told + connections::left_out(connected);
    format!("{} open · {} requests/s", format::plural(open, "connection"), format::rate(per_s).trim_end_matches("/s"))
}
