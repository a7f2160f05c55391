//! Where files come and go: asked for, typed, written and read.

use std::path::PathBuf;

use super::*;
use crate::monitor::files::{Content, Save, SheetFormat};
use crate::monitor::inquiry::{ConfigEntry, Findings, Query};
use crate::monitor::operation::{ConfigChange, ConfigResource, Operation};
use crate::ui::{PickWish, Picked, Picker, PickerHandle};

/// Answers at once, and keeps what it was asked.
#[derive(Clone, Default)]
struct Fake {
    asked: Arc<Mutex<Vec<PickWish>>>,
    chosen: Option<PathBuf>,
}

impl Picker for Fake {
    fn ask(&self, wish: PickWish, picked: Picked) {
        self.asked.lock().unwrap().push(wish);
        picked(self.chosen.clone());
    }
}

fn choosing(path: &str, screen: Screen) -> (Fake, Options) {
    let fake = Fake { chosen: Some(path.into()), ..Fake::default() };
    let options = Options { screen, picker: PickerHandle::new(fake.clone()), ..Options::default() };
    (fake, options)
}

fn saved(window: &Window) -> Vec<Save> {
    let sent = window.sent().into_iter();
    sent.filter_map(|command| if let Command::Save(save) = command { Some(save) } else { None }).collect()
}

#[test]
fn a_table_is_written_to_a_file() {
    let view = fixture::healthy();
    let (fake, options) = choosing("/tmp/out.csv", Screen::Groups);
    let mut window = Window::open(view.clone(), options);
    window.click("Columns of groups");
    window.click("Export this table…");
    assert!(window.shows("Export the table groups"));
    window.click("JSON");
    window.click("Browse: File");
    assert_eq!(*fake.asked.lock().unwrap(), [PickWish::Save { title: "Export to", name: "groups.json".into() }]);
    window.click("Export");
    let [Save { path, content: Content::Table(sheet, SheetFormat::Json) }] = &saved(&window)[..] else { panic!() };
    assert_eq!(path, &PathBuf::from("/tmp/out.csv"));
    assert_eq!(sheet.rows.len(), view.snapshot.groups.len());
    assert!(sheet.rows.iter().all(|row| row.len() == sheet.columns.len()), "{sheet:?}");
    let group = &view.snapshot.groups[0];
    assert!(sheet.rows.iter().any(|row| row.contains(&group.id.to_string())));
    // Closed with it; and a number is one.
    assert!(!window.shows("Export the table"));
    let lag = sheet.columns.iter().position(|name| name.contains("Lag")).unwrap();
    assert!(sheet.rows.iter().any(|row| row[lag].parse::<i64>().is_ok_and(|lag| lag > 0)), "{sheet:?}");
}

#[test]
fn who_cancels_keeps_what_is_typed_and_a_part_of_a_path_is_refused() {
    let fake = Fake::default();
    let options = Options { screen: Screen::Topics, picker: PickerHandle::new(fake.clone()), ..Options::default() };
    let mut window = Window::open(fixture::healthy(), options);
    window.click("Columns of topics");
    window.click("Export this table…");
    window.type_into("File", "out.csv");
    window.click("Browse: File");
    assert_eq!(fake.asked.lock().unwrap().len(), 1);
    assert!(window.shows("The whole path is needed, from / or ~/ on."));
    window.click("Export");
    assert_eq!(saved(&window), []);

    // Without anybody to ask there is no button, and the field does it all.
    let mut window = Window::on(fixture::healthy(), Screen::Topics);
    window.click("Columns of topics");
    window.click("Export this table…");
    assert!(!window.shows("Browse"));
    window.type_into("File", "/tmp/out.csv");
    window.click("Export");
    assert_eq!(saved(&window).len(), 1);
}

#[test]
fn a_plan_of_moves_is_written_and_read() {
    let dialog = Some(Dialog::Reassign("orders".into()));
    let (_, options) = choosing("/tmp/plan.json", Screen::Topics);
    let options = Options { dialog, ..options };
    let mut window = Window::open(fixture::healthy(), options.clone());
    window.click("Browse: The plan as a file (of kafka-reassign-partitions)");
    window.click("Read a plan");
    let query = Query::File("/tmp/plan.json".into());
    assert!(window.sent().contains(&Command::Inquire(query.clone())));

    // What stands in it is tried out before it counts.
    let text = r#"{"version":1,"partitions":[{"topic":"orders","partition":0,"replicas":[3,2,1]}]}"#;
    let mut view = fixture::healthy();
    view.inquiries.answer(&query, 1, Ok(Arc::new(Findings::File(text.into()))));
    let mut window = Window::open(view, options);
    window.click("Browse: The plan as a file (of kafka-reassign-partitions)");
    window.click("Read a plan");
    assert!(!window.shows("What the file says is shown"), "an old answer is not the new one");
    let mut view = fixture::healthy();
    view.inquiries.answer(&query, 2, Ok(Arc::new(Findings::File(text.into()))));
    window.change(view);
    assert!(window.shows("What the file says is shown"));
    window.click("Write the plan");
    let [Save { content: Content::Text(written), .. }] = &saved(&window)[..] else { panic!() };
    assert!(written.contains("\"log_dirs\"") && written.contains("orders"));
    window.click("Move replicas");
    let moved = window.sent().into_iter().find_map(|command| match command {
        Command::Operate(Operation::Reassign { moves, .. }) => Some(moves),
        _ => None,
    });
    assert_eq!(moved.unwrap()[0].replicas, [3, 2, 1]);
}

#[test]
fn configs_are_set_from_a_file_after_a_look_at_what_changes() {
    let resource = ConfigResource::Topic("orders".into());
    let (_, options) = choosing("/tmp/orders.properties", Screen::Topic);
    let options = Options { dialog: Some(Dialog::ImportConfigs(resource.clone())), ..options };
    let options = Options { topic: Some("orders".into()), ..options };
    let entry = |name: &str, value: &str| ConfigEntry {
        name: name.into(),
        value: Some(value.into()),
        ..ConfigEntry::default()
    };
    let with = |text: &str, at_ms| {
        let mut view = fixture::healthy();
        let told = vec![entry("cleanup.policy", "delete"), entry("retention.ms", "604800000")];
        view.inquiries.answer(&Query::Configs(resource.clone()), 1, Ok(Arc::new(Findings::Configs(told))));
        let file = Query::File("/tmp/orders.properties".into());
        view.inquiries.answer(&file, at_ms, Ok(Arc::new(Findings::File(text.into()))));
        view
    };
    let mut window = Window::open(with("old=1", 1), options);
    window.click("Browse: File (.properties)");
    assert!(!window.shows("no such config"), "what was read before does not count");
    window.change(with("retention.ms=1000\ncleanup.policy=delete\nreplicas=3\n", 2));
    assert!(window.shows("1 config would be set"));
    assert!(window.shows("replicas, –, 3, no such config"));
    assert!(window.shows("--add-config retention.ms=1000"));
    window.click("Set them");
    let changes = vec![ConfigChange { name: "retention.ms".into(), value: Some("1000".into()) }];
    let wanted = Command::Operate(Operation::AlterConfigs { resource, changes });
    assert!(window.sent().contains(&wanted), "{:?}", window.sent());
}

#[test]
fn records_that_are_shown_or_a_whole_reading_are_written() {
    use crate::monitor::messages::export::{Export, ExportFormat, ExportView, Exported};
    use crate::monitor::messages::read::{MessagesView, ReadState};
    let (fake, options) = choosing("/tmp/orders.csv", Screen::Topic);
    let options = Options { topic: Some("orders".into()), ..options };
    let mut view = fixture::healthy();
    let mut window = Window::open(view.clone(), options);
    window.click("Show messages");
    let Some(Command::Read(Some(wish))) = window.sent().pop() else { panic!() };
    view.messages = MessagesView {
        wish: Some(Arc::new(wish.clone())),
        state: ReadState::Done,
        generation: 1,
        ..MessagesView::default()
    };
    window.change(view.clone());
    window.click("Export records");
    window.click("The whole reading");
    window.click("CSV");
    window.click("Browse: File");
    assert_eq!(*fake.asked.lock().unwrap(), [PickWish::Save { title: "Export to", name: "orders.csv".into() }]);
    window.click("Export");
    let path = PathBuf::from("/tmp/orders.csv");
    let what = Exported::Reading(Box::new(wish));
    let expected = Command::Export(Some(Export { path: path.clone(), format: ExportFormat::Csv, what }));
    assert_eq!(window.sent().pop(), Some(expected));
    view.export = ExportView { path: Some(path), written: 7, scanned: 9, percent: 40, generation: 1 };
    window.change(view);
    assert!(window.shows("Writing /tmp/orders.csv: 7 records, 40 %"));
    window.click("Cancel the export");
    assert_eq!(window.sent().pop(), Some(Command::Export(None)));
}
