//! A storm as it is being described: how often what breaks, for how long, and what is expected of the cluster meanwhile.

use std::sync::Arc;

use egui::Ui;

use super::fault_script;
use crate::monitor::command::{Command, FaultKind};
use crate::monitor::files::{Content, Save};
use crate::monitor::script::storm::{Shape, Storm, USUAL_KINDS};
use crate::monitor::script::{Expectation, Script};
use crate::ui::app::{Action, Scene};
use crate::ui::file_picker::PickWish;
use crate::ui::format;
use crate::ui::tokens::{font, palette, space};
use crate::ui::widgets::button::Button;
use crate::ui::widgets::field::{field, toggle};
use crate::ui::widgets::file_field::FileField;
use crate::ui::widgets::text;

/// What this part remembers.
#[derive(Debug)]
pub struct State {
    seed: String,
    rate_per_min: String,
    minutes: String,
    longest_s: String,
    quiet_s: String,
    kinds: Vec<(FaultKind, bool)>,
    writes_within_ms: String,
    lag_within_s: String,
    is_loss_watched: bool,
    may_lose_quorum: bool,
    file: FileField,
}

impl Default for State {
    fn default() -> State {
        let own = [FaultKind::Kill, FaultKind::Pause, FaultKind::Cut, FaultKind::Delay];
        State {
            seed: "1".into(),
            rate_per_min: "12".into(),
            minutes: "1".into(),
            longest_s: "10".into(),
            quiet_s: "0".into(),
            kinds: USUAL_KINDS.iter().map(|kind| (*kind, own.contains(kind))).collect(),
            writes_within_ms: "5000".into(),
            lag_within_s: "30".into(),
            is_loss_watched: true,
            may_lose_quorum: false,
            file: FileField::default(),
        }
    }
}

/// What is wrong with each field.
#[derive(Debug, Default, PartialEq)]
struct Complaints {
    seed: Option<&'static str>,
    rate_per_min: Option<&'static str>,
    minutes: Option<&'static str>,
    longest_s: Option<&'static str>,
    quiet_s: Option<&'static str>,
    writes_within_ms: Option<&'static str>,
    lag_within_s: Option<&'static str>,
}

fn within<T: std::str::FromStr + PartialOrd>(typed: &str, least: T, most: T) -> Option<T> {
    typed.trim().parse().ok().filter(|number| *number >= least && *number <= most)
}

impl State {
    fn check(&self) -> Complaints {
        let wrong = |is_fine: bool, words| (!is_fine).then_some(words);
        let optional = |typed: &str, most| typed.trim().is_empty() || within::<u64>(typed, 1, most).is_some();
        Complaints {
            seed: wrong(within::<u64>(&self.seed, 0, u64::MAX).is_some(), "A whole number"),
            rate_per_min: wrong(within(&self.rate_per_min, 0.01, 600.0).is_some(), "From 0.01 to 600"),
            minutes: wrong(within(&self.minutes, 0.1, 1440.0).is_some(), "From 0.1 to a day's 1440"),
            longest_s: wrong(within(&self.longest_s, 1, 3600_u64).is_some(), "From 1 to 3600"),
            quiet_s: wrong(within(&self.quiet_s, 0, 3600_u64).is_some(), "From 0 to 3600"),
            writes_within_ms: wrong(optional(&self.writes_within_ms, 3_600_000), "From 1 ms to an hour, or empty"),
            lag_within_s: wrong(optional(&self.lag_within_s, 3600), "From 1 s to an hour, or empty"),
        }
    }

    /// `None`: a field makes no sense.
    fn script(&self) -> Option<Script> {
        if self.check() != Complaints::default() {
            return None;
        }
        let max_duration_ms = within(&self.longest_s, 1, 3600_u64)? * 1000;
        let storm = Storm {
            seed: within(&self.seed, 0, u64::MAX)?,
            rate_per_min: within(&self.rate_per_min, 0.01, 600.0)?,
            kinds: self.kinds.iter().filter(|(_, is_on)| *is_on).map(|(kind, _)| *kind).collect(),
            min_duration_ms: 1_000.min(max_duration_ms),
            max_duration_ms,
            quiet_ms: within(&self.quiet_s, 0, 3600_u64)? * 1000,
            for_ms: (within(&self.minutes, 0.1, 1440.0)? * 60_000.0) as u64,
            may_lose_quorum: self.may_lose_quorum,
            ..Storm::default()
        };
        let writes = within(&self.writes_within_ms, 1, 3_600_000).map(Expectation::WritesResumeWithinMs);
        let lag = within(&self.lag_within_s, 1, 3600_u64).map(|limit_s| Expectation::LagDrainsWithinMs(limit_s * 1000));
        let loss = self.is_loss_watched.then_some(Expectation::NothingLost(true));
        let expect = [writes, lag, loss].into_iter().flatten().collect();
        Some(Script { name: format!("Storm of seed {}", storm.seed), storm: Some(storm), expect, ..Script::new() })
    }
}

/// Paints it.
pub fn show(ui: &mut Ui, scene: &Scene<'_>, state: &mut State, actions: &mut Vec<Action>) {
    let style = palette(ui);
    ui.spacing_mut().item_spacing.y = space::S;
    text::label(ui, "Storm", font::heading(), style.text);
    let words = "Faults at random. The same seed gives, on this cluster, the same faults at the same times.";
    text::paragraph(ui, words, font::small(), style.muted);
    let complaints = state.check();
    ui.columns(3, |columns| {
        field(&mut columns[0], "Seed", "1", &mut state.seed, complaints.seed);
        field(&mut columns[1], "Faults a minute", "12", &mut state.rate_per_min, complaints.rate_per_min);
        field(&mut columns[2], "For (minutes)", "1", &mut state.minutes, complaints.minutes);
    });
    ui.columns(2, |columns| {
        field(&mut columns[0], "Longest fault (s)", "10", &mut state.longest_s, complaints.longest_s);
        field(
            &mut columns[1],
            "Quiet after each (s)",
            "0: they may fall together",
            &mut state.quiet_s,
            complaints.quiet_s,
        );
    });
    text::label(ui, "Kinds; none: all of these", font::small(), style.muted);
    ui.horizontal_wrapped(|ui| {
        ui.spacing_mut().item_spacing = egui::vec2(space::M, 0.0);
        for (kind, is_on) in &mut state.kinds {
            toggle(ui, &kind.name().replace('_', " "), is_on);
        }
    });
    text::label(ui, "Expected; an empty field expects nothing", font::small(), style.muted);
    ui.columns(2, |columns| {
        let words = "Writes resume within (ms)";
        field(&mut columns[0], words, "no expectation", &mut state.writes_within_ms, complaints.writes_within_ms);
        let words = "Lag drains within (s)";
        field(&mut columns[1], words, "no expectation", &mut state.lag_within_s, complaints.lag_within_s);
    });
    toggle(ui, "Nothing that was acknowledged is lost", &mut state.is_loss_watched);
    toggle(ui, "The controllers' majority may be lost", &mut state.may_lose_quorum);
    let script = state.script();
    let Some(script) = script else { return };
    let drawn = script.storm.as_ref().map_or(0, |storm| storm.steps(&Shape::of(scene.model.snapshot())).len());
    text::paragraph(ui, &format!("On this cluster: {}.", format::plural(drawn, "fault")), font::small(), style.muted);
    let wish = PickWish::Save { title: "A storm as a script", name: "storm.yaml".into() };
    state.file.show(ui, &scene.options.picker, "File for the storm", "/home/me/storm.yaml", wish);
    let path = state.file.path();
    ui.horizontal(|ui| {
        ui.spacing_mut().item_spacing.x = space::S;
        if drawn > 0 {
            fault_script::run(ui, scene, "Run the storm", &script, actions);
        }
        let save = Button::new("Save the storm").small().enabled(path.is_some()).show(ui);
        if save.clicked()
            && let (Some(path), Ok(yaml)) = (path, script.to_yaml())
        {
            actions.push(Action::Send(Command::Save(Save { path, content: Content::Text(Arc::from(yaml)) })));
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_it_opens_it_makes_sense() {
        let script = State::default().script().unwrap();
        assert_eq!(script.check(), Ok(()));
        let storm = script.storm.unwrap();
        assert_eq!((storm.seed, storm.for_ms, storm.max_duration_ms), (1, 60_000, 10_000));
        assert_eq!(storm.kinds, [FaultKind::Kill, FaultKind::Pause, FaultKind::Cut, FaultKind::Delay]);
        assert_eq!(script.expect.len(), 3);
    }

    #[test]
    fn what_makes_no_sense_is_said_and_is_no_script() {
        let state = State { rate_per_min: "often".into(), lag_within_s: "0".into(), ..State::default() };
        let complaints = state.check();
        assert!(complaints.rate_per_min.is_some() && complaints.lag_within_s.is_some() && complaints.seed.is_none());
        assert!(state.script().is_none());
        let less = State { writes_within_ms: String::new(), is_loss_watched: false, ..State::default() };
        assert_eq!(less.script().unwrap().expect, [Expectation::LagDrainsWithinMs(30_000)]);
    }
}
