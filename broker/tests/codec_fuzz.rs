//! Distrust of the codec. Every offered API at every version is fed random bytes, damaged encodings and hostile lengths: no panic, and no
//! more than 64 KiB of memory for a frame of 64 bytes. What decodes must survive being encoded, and what Kafka's own serializer
//! wrote must come out byte for byte.
//!
//! Seeded; `BROKERSCOPE_FUZZ_FRAMES=10000000 cargo test -p broker --test codec_fuzz` for a longer run, `BROKERSCOPE_FUZZ_SEED` for another.

#![allow(clippy::unwrap_used, reason = "a test")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};

use broker::protocol::{
    Api, Request, RequestHeader, Response, decode_request, decode_response, encode_request, encode_response,
};
use bytes::{Bytes, BytesMut};
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};

const MAX_SMALL_FRAME_BYTES: usize = 64;
const MAX_MEMORY_BYTES: usize = 64 << 10;
/// At this much, the allocator refuses: an endless loop shall not take the machine along.
const REFUSED_BYTES: usize = 256 << 20;

thread_local! {
    static LIVE: Cell<isize> = const { Cell::new(0) };
    static PEAK: Cell<isize> = const { Cell::new(0) };
}

/// Counts what a thread holds.
struct Counting;

impl Counting {
    fn add(bytes: isize) {
        let live = LIVE.get() + bytes;
        LIVE.set(live);
        PEAK.set(PEAK.get().max(live));
    }
}

#[expect(unsafe_code, reason = "a global allocator is unsafe by its trait; this one only counts")]
// SAFETY: every call goes to the system allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        Counting::add(layout.size() as isize);
        if LIVE.get() > REFUSED_BYTES as isize {
            return std::ptr::null_mut();
        }
        // SAFETY: as the caller promised.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        Counting::add(-(layout.size() as isize));
        // SAFETY: as the caller promised.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Runs `work` and says how much memory it held at its peak; a panic names the frame.
fn measured<T>(frame: &[u8], work: impl FnOnce() -> T) -> (T, usize) {
    let start = LIVE.get();
    PEAK.set(start);
    let result = catch_unwind(AssertUnwindSafe(work));
    let peak = usize::try_from(PEAK.get() - start).unwrap();
    match result {
        Ok(value) => (value, peak),
        Err(_) => panic!("the codec panicked on the frame {}", hex(frame)),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Vec<u8> {
    let digits = text.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).unwrap());
    digits.map(|pair| u8::from_str_radix(pair, 16).unwrap()).collect()
}

fn number_from_environment(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().map_or(default, |text| text.parse().expect("a number"))
}

fn rng() -> SmallRng {
    SmallRng::seed_from_u64(number_from_environment("BROKERSCOPE_FUZZ_SEED", 0x5eed))
}

fn apis_and_versions() -> Vec<(Api, i16)> {
    let versions = |api: &Api| api.min_version()..=api.max_version();
    Api::ALL.iter().flat_map(|api| versions(api).map(move |version| (*api, version))).collect()
}

fn header(api_key: Api, api_version: i16) -> RequestHeader {
    RequestHeader { api_key, api_version, correlation_id: 0x0102_0304, client_id: None }
}

/// The bytes in front of a request's body.
fn request_start(api: Api, version: i16) -> Vec<u8> {
    let mut start = Vec::new();
    start.extend(api.key().to_be_bytes());
    start.extend(version.to_be_bytes());
    start.extend(0x0102_0304i32.to_be_bytes());
    start.extend([0xff, 0xff]);
    start.extend(vec![0; usize::from(api.request_header_version(version) == 2)]);
    start
}

/// The bytes in front of a response's body.
fn response_start(api: Api, version: i16) -> Vec<u8> {
    let mut start = 0x0102_0304i32.to_be_bytes().to_vec();
    start.extend(vec![0; usize::from(api.response_header_version(version) == 1)]);
    start
}

/// Bytes that look like a message: mostly zeros and small numbers, so that lengths are believed and nested arrays get filled. What is empty
/// is a zero in the old encoding and a one in the flexible one, whose zero is a null that many fields may not be.
fn plausible(rng: &mut SmallRng, api: Api, version: i16, length: usize) -> Vec<u8> {
    let quiet = rng.random_range(20..90);
    let ones = if api.is_flexible(version) { rng.random_range(0..100) } else { 0 };
    let byte = |rng: &mut SmallRng| match rng.random_range(0..100) {
        n if n < quiet => u8::from(rng.random_range(0..100) < ones),
        n if n < 95 => rng.random_range(1..5),
        _ => rng.random(),
    };
    (0..length).map(|_| byte(rng)).collect()
}

const HOSTILE: [&[u8]; 12] = [
    &[0xff, 0xff, 0xff, 0xff],
    &[0x7f, 0xff, 0xff, 0xff],
    &[0x80, 0, 0, 0],
    &[0x00, 0xff, 0xff, 0xff],
    &[0x00, 0x00, 0x04, 0x00],
    &[0x7f, 0xff],
    &[0xff, 0xfe],
    &[0xff, 0xff, 0xff, 0xff, 0x0f],
    &[0xff, 0xff, 0xff, 0xff, 0x07],
    &[0x80, 0x80, 0x80, 0x80, 0x80],
    &[0x81, 0x08],
    &[0xff, 0x7f],
];

/// One frame of at most 64 bytes, of one of the kinds named above.
fn hostile_frame(rng: &mut SmallRng, (api, version): (Api, i16), start: &[u8], valid: &[Vec<u8>]) -> Vec<u8> {
    let mut frame = start.to_vec();
    let room = MAX_SMALL_FRAME_BYTES - start.len();
    match rng.random_range(0..6) {
        0 => {
            let length = rng.random_range(0..=MAX_SMALL_FRAME_BYTES);
            return (0..length).map(|_| rng.random()).collect();
        }
        1 => frame.extend((0..rng.random_range(0..=room)).map(|_| rng.random::<u8>())),
        2 => {
            let length = rng.random_range(0..=room);
            frame.extend(plausible(rng, api, version, length));
        }
        kind => {
            let Some(body) = valid.get(rng.random_range(0..valid.len().max(1))) else { return frame };
            frame.extend(&body[..body.len().min(room)]);
            if kind == 3 {
                frame.truncate(rng.random_range(0..=frame.len()));
            }
            if kind == 4 && !frame.is_empty() {
                for _ in 0..rng.random_range(1..4) {
                    let bit = rng.random_range(0..frame.len() * 8);
                    frame[bit / 8] ^= 1 << (bit % 8);
                }
            }
            if kind == 5 {
                let patch = HOSTILE[rng.random_range(0..HOSTILE.len())];
                let at = rng.random_range(start.len()..=frame.len());
                let end = frame.len().min(at + patch.len());
                frame.splice(at..end, patch.iter().copied());
                frame.truncate(MAX_SMALL_FRAME_BYTES);
            }
        }
    }
    frame
}

/// Bodies that decode, with what they decode to.
fn valid_requests(rng: &mut SmallRng, api: Api, version: i16, tries: usize, length: usize) -> Vec<(Vec<u8>, Request)> {
    let start = request_start(api, version);
    let decoded = |rng: &mut SmallRng| {
        let frame = [start.clone(), plausible(rng, api, version, length)].concat();
        let (_, request) = decode_request(Bytes::from(frame)).ok()?;
        let encoded = encode_request(&header(api, version), &request).ok()?;
        Some((encoded[4 + start.len()..].to_vec(), request))
    };
    (0..tries).filter_map(|_| decoded(rng)).collect()
}

fn valid_responses(
    rng: &mut SmallRng,
    api: Api,
    version: i16,
    tries: usize,
    length: usize,
) -> Vec<(Vec<u8>, Response)> {
    let start = response_start(api, version);
    let decoded = |rng: &mut SmallRng| {
        let frame = [start.clone(), plausible(rng, api, version, length)].concat();
        let response = decode_response(&header(api, version), Bytes::from(frame)).ok()?;
        let encoded = encode_response(&header(api, version), &response).ok()?;
        Some((encoded[4 + start.len()..].to_vec(), response))
    };
    (0..tries).filter_map(|_| decoded(rng)).collect()
}

fn bodies<T>(valid: Vec<(Vec<u8>, T)>) -> Vec<Vec<u8>> {
    valid.into_iter().map(|(body, _)| body).filter(|body| body.len() <= MAX_SMALL_FRAME_BYTES).collect()
}

#[test]
fn small_frames_take_little_memory() {
    let mut rng = rng();
    let all = apis_and_versions();
    let frames = number_from_environment("BROKERSCOPE_FUZZ_FRAMES", 200_000);
    let per_case = frames.div_ceil(2 * all.len() as u64);
    let (mut worst, mut decoded, mut fed) = ((0, String::new()), 0u64, 0u64);
    for (api, version) in all {
        let valid = bodies(valid_requests(&mut rng, api, version, 100, 48));
        let start = request_start(api, version);
        for _ in 0..per_case {
            let frame = hostile_frame(&mut rng, (api, version), &start, &valid);
            let (result, peak) = measured(&frame, || decode_request(Bytes::copy_from_slice(&frame)));
            decoded += u64::from(result.is_ok());
            worst = worst.max((peak, format!("{} v{version} request {}", api.name(), hex(&frame))));
            fed += 1;
        }
        let valid = bodies(valid_responses(&mut rng, api, version, 100, 48));
        let start = response_start(api, version);
        let header = header(api, version);
        for _ in 0..per_case {
            let frame = hostile_frame(&mut rng, (api, version), &start, &valid);
            let (result, peak) = measured(&frame, || decode_response(&header, Bytes::copy_from_slice(&frame)));
            decoded += u64::from(result.is_ok());
            worst = worst.max((peak, format!("{} v{version} response {}", api.name(), hex(&frame))));
            fed += 1;
        }
    }
    println!("{fed} frames, {decoded} decoded; most memory: {} bytes by {}", worst.0, worst.1);
    assert!(worst.0 <= MAX_MEMORY_BYTES, "{} bytes by {}", worst.0, worst.1);
    assert!(decoded > fed / 20, "only {decoded} of {fed} frames decoded: the generator has lost its way");
}

#[test]
fn what_decodes_survives_encoding() {
    let mut rng = rng();
    let tries = number_from_environment("BROKERSCOPE_FUZZ_FRAMES", 100_000) as usize / 200;
    for (api, version) in apis_and_versions() {
        let header = header(api, version);
        let requests = valid_requests(&mut rng, api, version, tries, 300);
        assert!(requests.len() > tries / 50, "{api:?} v{version}: {} requests of {tries}", requests.len());
        for (body, request) in requests {
            let frame = [request_start(api, version), body].concat();
            let (_, again) = decode_request(Bytes::from(frame.clone())).unwrap();
            assert_eq!(again, request, "{api:?} v{version} {}", hex(&frame));
            assert_eq!(encode_request(&header, &again).unwrap()[4..], frame, "{api:?} v{version}");
        }
        let responses = valid_responses(&mut rng, api, version, tries, 300);
        assert!(responses.len() > tries / 50, "{api:?} v{version}: {} responses of {tries}", responses.len());
        for (body, response) in responses {
            let frame = [response_start(api, version), body].concat();
            let again = decode_response(&header, Bytes::from(frame.clone())).unwrap();
            assert_eq!(again, response, "{api:?} v{version} {}", hex(&frame));
            let encoded: BytesMut = encode_response(&header, &again).unwrap();
            assert_eq!(encoded[4..], frame, "{api:?} v{version}");
        }
    }
}

#[test]
fn kafkas_own_frames_come_out_as_they_went_in() {
    let file = std::env::var("BROKERSCOPE_GOLDEN").map(|path| std::fs::read_to_string(path).expect("a readable file"));
    let text = file.unwrap_or_else(|_| include_str!("golden/messages.txt").to_owned());
    let mut seen = std::collections::BTreeSet::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let words: Vec<&str> = line.split(' ').collect();
        // The file knows APIs that are not offered yet, and versions that Kafka has and does not offer either.
        let version: i16 = words[1].parse().unwrap();
        let api = Api::from_key(words[0].parse().unwrap()).filter(|api| api.supports(version));
        let Some(api) = api else { continue };
        let body = unhex(words[3]);
        let header = header(api, version);
        let (frame, again) = if words[2] == "request" {
            let frame = [request_start(api, version), body].concat();
            let (_, request) = decode_request(Bytes::from(frame.clone())).unwrap_or_else(|e| panic!("{e}: {line}"));
            (frame, encode_request(&header, &request).unwrap())
        } else {
            let frame = [response_start(api, version), body].concat();
            let response =
                decode_response(&header, Bytes::from(frame.clone())).unwrap_or_else(|e| panic!("{e}: {line}"));
            (frame, encode_response(&header, &response).unwrap())
        };
        assert_eq!(hex(&again[4..]), hex(&frame), "{} v{version} {}", api.name(), words[2]);
        seen.insert((api, version, words[2].to_owned()));
    }
    assert_eq!(seen.len(), 2 * apis_and_versions().len());
}
