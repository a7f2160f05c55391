//! Records on a cluster that runs, written by librdkafka: filtered, taken by key, written to a file, sent again, chosen by time.

use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use egui::{Key, Modifiers};
use rdkafka::ClientConfig;
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};

use super::stage::Stage;
use crate::cli::ClusterArgs;
use crate::monitor::messages::read::{ReadState, Start};
use crate::monitor::messages::time;
use crate::ui::{Options, PickWish, Picked, Picker, PickerHandle, Screen};

const RECORDS: i64 = 300;
const KEYS: i64 = 10;

/// When the first record is said to have been written: ten minutes ago, at a whole minute. Retention takes what is much older.
fn first_ms() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    (now.as_secs() as i64 / 60 - 10) * 60_000
}

/// Chooses a file without asking anybody.
struct Chosen(PathBuf);

impl Picker for Chosen {
    fn ask(&self, _wish: PickWish, picked: Picked) {
        picked(Some(self.0.clone()));
    }
}

/// Orders with a total that grows, of ten customers, a second apart.
fn write(servers: &str, first_ms: i64) {
    let producer: BaseProducer = ClientConfig::new().set("bootstrap.servers", servers).create().unwrap();
    for number in 0..RECORDS {
        let (key, value) = (format!("customer-{}", number % KEYS), format!("{{\"total\": {number}}}"));
        let trace = format!("t{number}");
        let headers = OwnedHeaders::new().insert(Header { key: "trace", value: Some(&trace) });
        let record = BaseRecord::to("orders").key(&key).payload(&value).headers(headers);
        producer.send(record.timestamp(first_ms + number * 1_000)).unwrap();
    }
    producer.flush(Duration::from_secs(30)).unwrap();
}

impl Stage {
    /// Puts other words into a field, and leaves it.
    fn filter(&mut self, name: &str, words: &str) {
        self.type_into(name, "");
        self.press(Modifiers::COMMAND, Key::A);
        self.press(Modifiers::NONE, Key::Delete);
        self.type_into(name, words);
        self.press(Modifiers::NONE, Key::Enter);
    }

    /// Waits until a reading ended with so many records found.
    fn until_found(&mut self, count: usize) {
        self.until_known(&format!("{count} records are found"), |view| {
            view.messages.state == ReadState::Done && view.messages.found.len() == count
        });
    }
}

#[test]
fn records_are_filtered_written_to_a_file_sent_again_and_chosen_by_time_by_hand() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("orders.csv");
    let picker = PickerHandle::new(Chosen(file.clone()));
    let mut stage =
        Stage::open(&ClusterArgs::throwaway(), Options { screen: Screen::Topics, picker, ..Options::default() });
    stage.click("Create topic");
    stage.type_into("Name", "orders");
    stage.press(Modifiers::NONE, Key::Enter);
    stage.until("orders, ");
    let first_ms = first_ms();
    write(&stage.servers(), first_ms);
    stage.choose("orders, ");
    stage.click("Show messages");
    stage.click("From: the newest 200");
    stage.click("From the beginning");
    stage.until_found(RECORDS as usize);

    stage.filter("JSON path", "$.total >= 290");
    stage.until_found(10);
    stage.until("10 records of 300 looked at");
    stage.filter("Filter headers", "trace: /^t29[0-4]$/");
    stage.until_found(5);
    stage.filter("JSON path", "");
    stage.filter("Filter headers", "");
    stage.filter("Filter keys", "customer-7");
    stage.until_found(30);
    stage.click("More filters and decoders");
    stage.click("Latest per key");
    stage.until_found(1);
    stage.until("{\"total\": 297}");
    stage.filter("Filter keys", "");
    stage.until_found(KEYS as usize);

    stage.click("Export records");
    stage.click("CSV");
    stage.click("Browse: File");
    stage.click("Export");
    stage.until("10 records written to");
    let written = std::fs::read_to_string(&file).unwrap();
    assert_eq!(written.lines().count(), 1 + KEYS as usize);
    for total in 290..300 {
        let cell = format!("\"{{\"\"total\"\": {total}}}\",text,");
        assert_eq!(written.matches(&cell).count(), 1, "{cell} in {written}");
    }
    stage.click("Latest per key");

    // The bars tell how many there are without reading them: a bar is five seconds.
    stage.until("Over time: 300 records");
    let clock = |seconds: i64| time::local(first_ms + seconds * 1_000, 0);
    stage.choose(&format!("{} to ", clock(40)));
    stage.until_known("only they are read", |view| {
        let wish = view.messages.wish.as_ref();
        wish.is_some_and(|wish| wish.start == Start::Since(first_ms + 40_000)) && view.messages.found.len() == 5
    });
    let totals = stage.view().messages.found.iter().map(|one| one.timestamp_ms - first_ms).collect::<Vec<_>>();
    assert!(totals.iter().all(|after_ms| (40_000..45_000).contains(after_ms)), "{totals:?}");

    stage.choose("{\"total\": 44}");
    stage.click("Send again");
    stage.type_into("Value", " ");
    stage.click("Write");
    stage.until("Written to orders-");
    stage.click("Read of any time");
    stage.until_known("it is the newest", |view| {
        let newest = view.messages.found.iter().max_by_key(|one| one.timestamp_ms);
        newest.is_some_and(|one| {
            let value = one.value.as_deref().unwrap_or_default();
            value.starts_with(b"{\"total\": 44}") && value.len() == 14 && one.headers.len() == 1
        })
    });

    // What comes from now on is followed, and stands still while it is paused.
    stage.click("From: the newest 200");
    stage.click("From the end");
    stage.until_known("it follows", |view| view.messages.state == ReadState::Following);
    write(&stage.servers(), first_ms);
    stage.until("300 records · following");
    stage.click("Pause");
    write(&stage.servers(), first_ms);
    stage.until("Paused · 300 records waiting");
    stage.click("Go on");
    stage.until("600 records · following");
}
