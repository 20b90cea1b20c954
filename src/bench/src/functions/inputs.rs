//! What the suite's functions are given: made by a seed, large enough to be measured.

use crate::report::failed;
use crate::text::corpus;
use bytes::Bytes;
use fastrand::Rng;
use ganglion_types::Result;
use serde_json::json;
use std::fmt::Write;

const SEED: u64 = 2026;

/// A function, what it is called with, and the object that it reads.
pub(super) struct Case {
    pub(super) function: &'static str,
    pub(super) input: &'static str,
    pub(super) object: &'static str,
}

/// The suite, without what only moves bytes.
pub(super) const CASES: [Case; 12] = [
    case("wordcount", "text", "text"),
    case("grep", "text (th|s)[aeiou]+n[a-z]*,", "text"),
    case("substr", "text absent words", "text"),
    case("substrrepl", "text 'the ' 'the '", "text"),
    case("sha256sum", "text", "text"),
    case("json_parse", "json", "json"),
    case("thumbnailer_decode", "png", "png"),
    case("thumbnailer_shrink", "png", "png"),
    case("pcakmm", "images", "images"),
    case("pcakmmstore", "images", "images"),
    case("damo", "report 20", "report"),
    case("damofilter", "report 20", "report"),
];

const fn case(function: &'static str, input: &'static str, object: &'static str) -> Case {
    Case {
        function,
        input,
        object,
    }
}

/// All objects, `scale` times as large as they are at least.
///
/// # Errors
/// `Internal` when a picture cannot be made.
pub(super) fn objects(scale: usize) -> Result<Vec<(&'static str, Bytes)>> {
    Ok(vec![
        ("text", corpus(SEED, scale << 18)),
        ("json", table(1_000 * scale).into()),
        ("png", picture(32 * scale)?.into()),
        ("images", digits(100 * scale).into()),
        ("report", report(2_000 * scale).into()),
    ])
}

/// So many rows of a table.
fn table(rows: usize) -> Vec<u8> {
    let mut random = Rng::with_seed(SEED);
    let words = corpus(SEED, rows * 16);
    let words = String::from_utf8_lossy(&words);
    let mut words = words.split_whitespace().cycle();
    let rows: Vec<_> = (0..rows)
        .map(|row| {
            json!({
                "id": row,
                "name": words.next(),
                "value": random.f64() * 1e6,
                "tags": [words.next(), words.next(), random.bool(), serde_json::Value::Null],
                "place": { "x": random.i32(-1000..1000), "y": random.i32(-1000..1000) },
            })
        })
        .collect();
    json!({ "rows": rows }).to_string().into_bytes()
}

/// A picture of that width and height: waves and a little noise, as photographs have.
#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "colours between 0 and 255"
)]
fn picture(edge: usize) -> Result<Vec<u8>> {
    let mut random = Rng::with_seed(SEED);
    let mut pixels = Vec::with_capacity(edge * edge * 3);
    for at in 0..edge * edge {
        let (x, y) = ((at % edge) as f32, (at / edge) as f32);
        for shift in [0.0, 2.0, 4.0] {
            let wave = ((x / 37.0 + shift).sin() + (y / 53.0 - shift).cos()) * 60.0 + 125.0;
            pixels.push((wave + random.f32() * 8.0) as u8);
        }
    }
    let mut file = Vec::new();
    let edge = u32::try_from(edge).unwrap_or(u32::MAX);
    let mut encoder = png::Encoder::new(&mut file, edge, edge);
    encoder.set_color(png::ColorType::Rgb);
    let written = encoder
        .write_header()
        .and_then(|mut writer| writer.write_image_data(&pixels));
    written.map_err(|error| failed("a picture")(error.into()))?;
    Ok(file)
}

/// So many images of 28 by 28 in the idx3-ubyte format: ten shapes, with noise.
fn digits(count: usize) -> Vec<u8> {
    const EDGE: usize = 28;
    let mut random = Rng::with_seed(SEED);
    let shapes: Vec<Vec<u8>> = (0..10)
        .map(|_| (0..EDGE * EDGE).map(|_| random.u8(..)).collect())
        .collect();
    let mut file = Vec::new();
    for number in [0x803, count, EDGE, EDGE] {
        file.extend_from_slice(&u32::try_from(number).unwrap_or(u32::MAX).to_be_bytes());
    }
    for image in 0..count {
        let shape = &shapes[image % shapes.len()];
        file.extend(shape.iter().map(|pixel| pixel / 2 + random.u8(..) / 4));
    }
    file
}

/// A report of DAMON with so many regions.
fn report(regions: usize) -> Vec<u8> {
    let mut random = Rng::with_seed(SEED);
    let mut text = String::from("base_time_absolute: 8 m 59.809 s\n\n");
    let mut left = regions;
    let mut moment = 0;
    while left > 0 {
        let here = left.min(500);
        let told = write!(
            text,
            "monitoring_start: {moment} ms\nmonitoring_end: {} ms\ntarget_id: 1\nnr_regions: {here}\n",
            moment + 100
        );
        told.expect("writing to a string does not fail");
        let mut begin = 0x5555_0000_0000_u64;
        for _ in 0..here {
            let end = begin + 4096 * random.u64(1..10_000);
            let count = random.u32(0..40);
            writeln!(
                text,
                "{begin:x}-{end:x}({:9.3} KiB):\t{count}",
                (end - begin) / 1024
            )
            .expect("writing to a string does not fail");
            begin = end;
        }
        text.push('\n');
        left -= here;
        moment += 100;
    }
    text.into_bytes()
}
