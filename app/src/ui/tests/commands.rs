//! Commands by keys, the palette, the help, settings, back and forward, and what is remembered.

use std::collections::BTreeMap;

use egui::{Event, Key, Modifiers, PointerButton};

use super::*;
use crate::ui::commands::ALL;
use crate::ui::help::spoken;
use crate::ui::memory;

impl Window {
    /// Types where the cursor is, or to nobody.
    fn keys(&mut self, text: &str) {
        for letter in text.chars() {
            self.harness.event(Event::Text(letter.to_string()));
            self.harness.run();
        }
    }

    fn press(&mut self, modifiers: Modifiers, key: Key) {
        self.harness.key_press_modifiers(modifiers, key);
        self.harness.run();
    }

    fn hit(&mut self, key: Key) {
        self.press(Modifiers::NONE, key);
    }

    fn mouse(&mut self, button: PointerButton) {
        for pressed in [true, false] {
            let pos = egui::pos2(800.0, 500.0);
            self.harness.event(Event::PointerButton { pos, button, pressed, modifiers: Modifiers::NONE });
        }
        self.harness.run();
    }

    fn screen(&self) -> Screen {
        self.harness.state().screen()
    }

    /// Opens the palette and searches.
    fn find(&mut self, text: &str) {
        self.press(Modifiers::COMMAND, Key::K);
        self.harness.get_by_label("Search commands and objects").type_text(text);
        self.harness.run();
    }
}

#[test]
fn two_letters_lead_to_each_screen() {
    let mut window = Window::on(fixture::incident(), Screen::Cluster);
    for (keys, screen) in [
        ("gs", Screen::Start),
        ("gt", Screen::Topics),
        ("gg", Screen::Groups),
        ("gq", Screen::Quorum),
        ("gm", Screen::Metrics),
        ("gx", Screen::Metrics),
        ("ga", Screen::Alarms),
        ("gn", Screen::Wire),
        ("gw", Screen::Workloads),
        ("gf", Screen::Faults),
        ("gd", Screen::Ledger),
        ("ge", Screen::Events),
        ("gl", Screen::Logs),
        ("gc", Screen::Cluster),
    ] {
        window.keys(keys);
        assert_eq!(window.screen(), screen, "{keys}");
    }
}

#[test]
fn letters_that_are_typed_into_a_field_call_nothing() {
    let mut window = Window::on(fixture::incident(), Screen::Topics);
    window.type_into("Filter topics", "gl?/");
    assert_eq!(window.screen(), Screen::Topics);
    assert!(window.shows("No topic matches the filter") && !window.shows("Commands and shortcuts"));
}

#[test]
fn a_slash_puts_the_cursor_into_the_filter_and_escape_takes_it_out() {
    let mut window = Window::on(fixture::incident(), Screen::Topics);
    window.keys("/pay");
    assert!(window.shows("payments, ") && !window.shows("orders, "), "the slash itself is not typed");
    window.hit(Key::Escape);
    window.keys("gl");
    assert_eq!(window.screen(), Screen::Logs);
    for (screen, filter) in [
        (Screen::Cluster, "Filter partitions"),
        (Screen::Topic, "Filter partitions"),
        (Screen::Groups, "Filter groups"),
        (Screen::Metrics, "Search metrics"),
        (Screen::Alarms, "Filter alarms"),
        (Screen::Events, "Filter events"),
        (Screen::Logs, "Filter lines"),
    ] {
        let mut window = Window::on(fixture::incident(), screen);
        window.keys("/");
        assert!(window.harness.get_by_label(filter).is_focused(), "{screen}");
    }
    let mut window = Window::on(View::default(), Screen::Topic);
    window.keys("/");
    assert!(window.shows("Search commands and objects"), "where there is no filter, everything is searched");
}

#[test]
fn the_palette_finds_and_does() {
    let mut window = Window::on(fixture::incident(), Screen::Cluster);
    window.find("groups");
    assert!(window.shows("Go to Groups, command, g g"));
    window.hit(Key::Escape);
    assert!(!window.shows("Search commands and objects"));
    window.find("heal all");
    window.hit(Key::Enter);
    window.find("start broker 2");
    window.hit(Key::Enter);
    assert_eq!(window.sent(), [Command::HealAllFaults, Command::StartNode(2)]);
    window.find("clicks-17");
    window.click("clicks-17, partition");
    assert_eq!(window.screen(), Screen::Topic);
    assert!(window.shows("Partitions: 24") && window.shows("17, "));
    for (text, screen, shown) in [
        ("billing", Screen::Groups, "billing"),
        ("controller 3002", Screen::Cluster, "Controller 3002"),
        ("rootdiskused of broker 3", Screen::Alarms, "Broker 3, Maximum of 10 s"),
        ("kafka.request.logger", Screen::Logs, "Set kafka.request.logger to DEBUG"),
        ("bytesinpersec by broker id", Screen::Metrics, "Search metrics"),
    ] {
        window.find(text);
        window.hit(Key::Enter);
        assert_eq!(window.screen(), screen, "{text}");
        assert!(window.shows(shown), "{text}");
    }
}

#[test]
fn the_palette_is_walked_with_arrows_and_remembers_what_was_chosen() {
    let mut window = Window::on(fixture::incident(), Screen::Cluster);
    window.press(Modifiers::COMMAND, Key::K);
    // Round the end, and down to the second.
    window.hit(Key::ArrowUp);
    window.hit(Key::ArrowDown);
    window.hit(Key::ArrowDown);
    window.hit(Key::Enter);
    assert!(window.shows("Close"), "one of the first commands is the help");
    window.hit(Key::Escape);
    window.find("go to events");
    window.hit(Key::Enter);
    window.press(Modifiers::COMMAND, Key::K);
    window.hit(Key::Enter);
    assert_eq!(window.screen(), Screen::Events);
    window.press(Modifiers::COMMAND, Key::K);
    window.press(Modifiers::COMMAND, Key::K);
    assert!(!window.shows("Search commands and objects"), "the same keys close it");
}

#[test]
fn what_destroys_asks_first_and_what_cannot_be_done_is_not_done() {
    let mut window = Window::on(fixture::incident(), Screen::Cluster);
    window.find("delete topic orders");
    assert!(window.shows("kafka-topics.sh --bootstrap-server 127.0.0.1:9092"), "as a command");
    window.hit(Key::Enter);
    assert!(window.shows("Type the topic's name to confirm"));
    window.click("Cancel");
    window.find("delete group search-indexer");
    assert!(window.shows("--delete --group search-indexer"), "as a command");
    window.hit(Key::Escape);
    window.find("kill broker 2");
    assert!(window.shows("Kill broker 2, command, not while it is killed"));
    window.hit(Key::Enter);
    assert!(window.shows("Search commands and objects"), "it stays open");
    window.hit(Key::Escape);
    window.find("kill broker 3");
    let enter = |pressed| Event::Key {
        key: Key::Enter,
        physical_key: None,
        pressed,
        repeat: false,
        modifiers: Modifiers::NONE,
    };
    for pressed in [true, true, true, false] {
        window.harness.event(enter(pressed));
        window.harness.run();
        assert!(window.shows("Kill broker 3?"), "Enter that is held down chooses, and does not confirm");
    }
    assert_eq!(window.sent(), []);
    window.type_into("Heals by itself after (s)", "5");
    window.click("Break it");
    let fault = FaultRequest { broker: Some(3), duration_ms: Some(5_000), ..FaultRequest::new(FaultKind::Kill) };
    assert_eq!(window.sent(), [Command::InjectFault(fault)]);
}

#[test]
fn a_link_is_broken_as_described() {
    let options = Options { http: Some("http://127.0.0.1:11001".into()), ..Options::default() };
    let mut window = Window::open(fixture::healthy(), options);
    window.find("lossy link of broker 2");
    window.hit(Key::Enter);
    window.click("To: broker 1");
    window.choose("To controller 3001");
    window.click("The other way too");
    window.type_into("Share that is lost (%)", "5");
    assert!(window.shows("Above 0, and at most 100"), "105 or 510 percent");
    window.click("Break it");
    assert_eq!(window.sent(), []);
    window.hit(Key::Backspace);
    window.harness.get_by_label("Share that is lost (%)").focus();
    window.harness.run();
    window.press(Modifiers::COMMAND, Key::A);
    window.harness.get_by_label("Share that is lost (%)").type_text("2.5");
    window.harness.run();
    assert!(window.shows(r#""from":2,"to":3001,"both_ways":true,"probability":0.025"#));
    window.click("Break it");
    let fault = FaultRequest {
        from: Some(2.into()),
        to: Some(3001.into()),
        both_ways: Some(true),
        probability: Some(0.025),
        ..FaultRequest::new(FaultKind::Drop)
    };
    assert_eq!(window.sent(), [Command::InjectFault(fault)]);
}

#[test]
fn the_help_shows_each_command() {
    let mut window = Window::on(fixture::incident(), Screen::Cluster);
    window.keys("?");
    let ctx = window.harness.ctx.clone();
    for entry in ALL {
        let words = spoken(entry, &crate::ui::commands::keys_of(&ctx, entry.id));
        assert!(window.shows(&words), "{words}");
    }
    window.keys("gt");
    assert_eq!(window.screen(), Screen::Cluster, "under it nothing is called");
    window.keys("?");
    assert!(!window.shows("Put the cursor into the screen's filter"));
}

#[test]
fn back_and_forward_show_what_was_shown() {
    let mut window = Window::on(fixture::incident(), Screen::Topics);
    window.type_into("Filter topics", "clicks");
    window.choose("clicks, ");
    assert_eq!(window.screen(), Screen::Topic);
    window.click("Groups");
    window.choose("zz-workers, Keeping up");
    window.choose("word-count, ");
    window.press(Modifiers::ALT, Key::ArrowLeft);
    assert!(window.screen() == Screen::Groups && window.shows("commit no offsets"), "zz-workers again");
    window.mouse(PointerButton::Extra1);
    assert!(window.screen() == Screen::Topic && window.shows("Partitions: 24"));
    window.click("Back");
    assert!(window.screen() == Screen::Topics && window.shows("clicks, ") && !window.shows("orders, "));
    window.mouse(PointerButton::Extra2);
    assert_eq!(window.screen(), Screen::Topic);
    window.press(Modifiers::ALT, Key::ArrowRight);
    assert_eq!(window.screen(), Screen::Groups);
}

#[test]
fn shortcuts_say_why_they_do_nothing() {
    let mut window = Window::on(fixture::healthy(), Screen::Cluster);
    window.press(Modifiers::COMMAND | Modifiers::SHIFT, Key::H);
    assert!(window.shows("Heal all: not while no fault is in force."));
    assert_eq!(window.sent(), []);
    let mut window = Window::on(fixture::incident(), Screen::Cluster);
    window.press(Modifiers::COMMAND | Modifiers::SHIFT, Key::H);
    window.press(Modifiers::COMMAND | Modifiers::SHIFT, Key::B);
    assert!(window.shows("Copied the bootstrap servers."));
    assert_eq!(window.sent(), [Command::HealAllFaults]);
}

#[test]
fn scale_text_and_theme_are_set() {
    let mut window = Window::on(fixture::healthy(), Screen::Cluster);
    window.press(Modifiers::COMMAND, Key::Plus);
    window.press(Modifiers::COMMAND, Key::Comma);
    assert!(window.shows("110 %") && window.shows("13 pt"));
    window.press(Modifiers::COMMAND, Key::Minus);
    assert!(window.shows("100 %"), "zoom works over a dialog, too");
    let before = window.harness.get_by_label("Scale").rect().width();
    window.click("Larger text");
    assert!(window.shows("14 pt") && window.harness.get_by_label("Scale").rect().width() > before);
    window.click("Light");
    assert_eq!(window.harness.ctx.theme(), egui::Theme::Light);
    window.click("Reset text");
    window.click("Zoom in");
    window.click("Reset zoom");
    assert!(window.shows("100 %") && window.shows("13 pt"));
    window.click("Close");
    assert!(!window.shows("13 pt"));
}

#[derive(Default)]
struct Drawer(BTreeMap<String, String>);

impl eframe::Storage for Drawer {
    fn get_string(&self, key: &str) -> Option<String> {
        self.0.get(key).cloned()
    }

    fn set_string(&mut self, key: &str, value: String) {
        self.0.insert(key.to_owned(), value);
    }

    fn remove_string(&mut self, key: &str) {
        self.0.remove(key);
    }

    fn flush(&mut self) {}
}

fn again(drawer: Drawer) -> Window {
    let still = Still::new(fixture::incident());
    let sent = Arc::clone(&still.sent);
    let mut harness = Harness::builder().with_size(egui::vec2(1600.0, 1000.0)).build_eframe(|cc| {
        BrokerscopeApp::new(&cc.egui_ctx, Box::new(still), Options::default()).remembering(&cc.egui_ctx, Some(&drawer))
    });
    harness.run();
    Window { harness, sent, next: Arc::default() }
}

#[test]
fn the_window_opens_as_it_was_left() {
    let mut window = Window::on(fixture::incident(), Screen::Topics);
    window.type_into("Filter topics", "a");
    window.click("Sort by Topic");
    window.click("Light theme");
    window.press(Modifiers::COMMAND, Key::Plus);
    let mut drawer = Drawer::default();
    eframe::App::save(window.harness.state_mut(), &mut drawer);
    let window = again(drawer);
    assert!(window.screen() == Screen::Topics && window.shows("Dark theme"), "the way back from the light one");
    assert!(window.shows("audit, ") && !window.shows("orders, "));
    assert_eq!(window.harness.ctx.zoom_factor(), 1.1);
}

#[test]
fn what_nobody_can_read_is_as_if_it_were_not_there() {
    let mut drawer = Drawer::default();
    drawer.0.insert(memory::KEY.into(), "{\"zoom\":1e9,\"screen\":\"kitchen\",\"theme\":[".into());
    let window = again(drawer);
    assert_eq!((window.screen(), window.harness.ctx.zoom_factor()), (Screen::Cluster, 1.0));
}

#[test]
fn with_an_ephemeral_cluster_nothing_is_written_down() {
    let options = Options { is_forgetful: true, ..Options::default() };
    let mut window = Window::open(fixture::healthy(), options);
    let mut drawer = Drawer::default();
    eframe::App::save(window.harness.state_mut(), &mut drawer);
    assert!(drawer.0.is_empty());
}

#[test]
fn the_palette_stays_quick_on_a_large_cluster() {
    let mut window = Window::on(fixture::large(1_000, 10), Screen::Topics);
    window.find("service-0999.events-7");
    assert!(window.shows("service-0999.events-7, partition"));
    window.hit(Key::Enter);
    assert!(window.screen() == Screen::Topic && window.shows("service-0999.events"));
}

#[test]
fn lines_to_clients_are_broken_from_the_palette() {
    let mut window = Window::on(fixture::healthy(), Screen::Cluster);
    window.find("narrow link of clients of broker 1");
    window.hit(Key::Enter);
    window.click("The other way too");
    window.click("Break it");
    let narrow = FaultRequest {
        from: Some(crate::monitor::command::End::Clients),
        to: Some(1.into()),
        both_ways: Some(true),
        bytes_per_s: Some(100_000),
        ..FaultRequest::new(FaultKind::Bandwidth)
    };
    assert_eq!(window.sent(), [Command::InjectFault(narrow)]);
}
